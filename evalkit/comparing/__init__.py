"""Any set of cells becomes values, intervals, differences and verdicts. Nothing here draws."""
