# Databricks notebook source
# MAGIC %md
# MAGIC # From a description to a plan
# MAGIC
# MAGIC Reads a description, Markdown or plain text, and shows the plan it becomes. Nothing is written until the widget
# MAGIC `write` says yes. Planned again, a changed description changes only what it changed; finished work and people's edits
# MAGIC stay.
# MAGIC
# MAGIC | widget | what it is |
# MAGIC |---|---|
# MAGIC | `lake` | where the lake is: `catalog.schema`, a folder or a storage URL; empty: as the settings say |
# MAGIC | `description` | the file to plan, such as `/Volumes/dev/lakeplan/descriptions/portal.md` |
# MAGIC | `text` | or the description itself |
# MAGIC | `project` | the project to plan, where it is not the one that was planned from this file; a text needs it from the second time on |
# MAGIC | `write` | `yes` writes the plan, `no` only shows it |
# MAGIC | `wheel` | the wheel to install; empty: the one that the bundle deployed beside this notebook |

# COMMAND ----------

dbutils.widgets.text("lake", "")
dbutils.widgets.text("description", "")
dbutils.widgets.text("text", "")
dbutils.widgets.text("project", "")
dbutils.widgets.dropdown("write", "no", ["no", "yes"])
dbutils.widgets.text("wheel", "")

# COMMAND ----------

from glob import glob
from importlib.util import find_spec
from os.path import getmtime

wheel = dbutils.widgets.get("wheel") or max(glob("../../artifacts/.internal/lakeplan-*.whl"), key=getmtime, default="")
if not wheel and not find_spec("lakeplan"):
    raise FileNotFoundError("lakeplan is not installed, and no bundle deployed its wheel beside this notebook: name it in the widget wheel")
# Where it is installed already, pip has nothing to do. By its bare name it is never asked of a package index.
wheel = wheel or "pip"

# COMMAND ----------

# MAGIC %pip install --quiet $wheel

# COMMAND ----------

import lakeplan

asked = dbutils.widgets.getAll()
lake = ["--lake", asked["lake"]] if asked["lake"] else []
# What is empty counts as not given.
plan = ["plan", asked["description"], "--text", asked["text"], "--project", asked["project"], *lake]

# COMMAND ----------

# MAGIC %md
# MAGIC ## What it becomes

# COMMAND ----------

print(lakeplan.run(*plan, json=False))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The plan

# COMMAND ----------

is_written = asked["write"] == "yes"
answer = lakeplan.run(*plan, *(["--yes"] if is_written else []))
print(f"{answer['project']} is written." if is_written else "Nothing is written; the widget write = yes does it.")

# COMMAND ----------

if is_written or not answer["is_new"]:
    print(lakeplan.run("task", "tree", answer["project"], *lake, json=False))
    displayHTML(lakeplan.run("visualize", answer["project"], "--out", "-", *lake, json=False))
else:
    print(f"{answer['project']} has no tasks yet; its tree comes with the first write.")
