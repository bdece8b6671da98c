"""Pages: one HTML file each, from templates, style, script and data. Everything a model wrote is text.

environment.py    the Jinja environment and the finished page with its content security policy
translations.py   every word of the interface, in English and Chinese
formats.py        numbers as people read them
tasks.py          what stands behind the numbers of a task
shards.py         samples as compressed blocks: an index, and texts that are unpacked when one looks at them
answers.py        what a page carries of one answer
"""
