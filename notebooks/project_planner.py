# Databricks notebook source
# MAGIC %md
# MAGIC # From a description to a plan
# MAGIC
# MAGIC This notebook reads a description in Markdown or plain text and shows the resulting plan. It writes the plan only if
# MAGIC the widget `write` is `yes`. If you change a description and plan it again, only the changed parts of the plan
# MAGIC change. Finished work and manual edits are kept.
# MAGIC
# MAGIC | Widget | Description |
# MAGIC |---|---|
# MAGIC | `lake` | Location of the lake: `catalog.schema`, a folder, or a storage URL. If empty, the settings apply. |
# MAGIC | `description` | File to plan, for example `/Volumes/dev/lakeplan/descriptions/portal.md`. |
# MAGIC | `text` | Text of the description, instead of a file. |
# MAGIC | `project` | Project to plan, if it is not the one that was planned from this file. For a text, required from the second run on. |
# MAGIC | `write` | `yes` writes the plan. `no` only shows it. |
# MAGIC | `wheel` | Wheel to install. If empty, the wheel that the bundle deployed with this notebook. |

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
    raise FileNotFoundError("lakeplan is not installed, and no bundle deployed its wheel with this notebook. Enter the path of the wheel in the widget wheel.")
# If lakeplan is already installed, install pip itself, which does nothing. Never install lakeplan by name from a package index.
wheel = wheel or "pip"

# COMMAND ----------

# MAGIC %pip install --quiet $wheel

# COMMAND ----------

import lakeplan

asked = dbutils.widgets.getAll()
lake = ["--lake", asked["lake"]] if asked["lake"] else []
# Empty values count as not given.
plan = ["plan", asked["description"], "--text", asked["text"], "--project", asked["project"], *lake]

# COMMAND ----------

# MAGIC %md
# MAGIC ## Preview

# COMMAND ----------

print(lakeplan.run(*plan, json=False))

# COMMAND ----------

# MAGIC %md
# MAGIC ## The plan

# COMMAND ----------

is_written = asked["write"] == "yes"
answer = lakeplan.run(*plan, *(["--yes"] if is_written else []))
print(f"{answer['project']} is written." if is_written else "Nothing is written. To write the plan, set the widget write to yes.")

# COMMAND ----------

if is_written or not answer["is_new"]:
    print(lakeplan.run("task", "tree", answer["project"], *lake, json=False))
    displayHTML(lakeplan.run("visualize", answer["project"], "--out", "-", *lake, json=False))
else:
    print(f"{answer['project']} has no tasks yet. The tree appears after the first write.")
