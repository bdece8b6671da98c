/* The main table of the report, for other documents; the program wrote it. */

starters.push(() => {
  for (const button of $$("[data-table]")) {
    button.addEventListener("click", async () => {
      const form = button.dataset.table;
      const text = await readFile(`table.${form}`);
      if (form === "csv") save("report.csv", `\ufeff${text}`, "text/csv");
      else await copy(text);
      button.closest("details").open = false;
    });
  }
  for (const menu of $$("details.menu")) {
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      $("summary", menu).focus();
      event.stopPropagation();
    });
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  }
});
