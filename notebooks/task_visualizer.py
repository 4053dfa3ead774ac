# Databricks notebook source
# MAGIC %md
# MAGIC # A project as a tree and a timeline
# MAGIC
# MAGIC This notebook shows the state of a project: its tasks as a tree next to a timeline, with filter and zoom. The page
# MAGIC needs no network. The bars of open tasks show order and effort, not a schedule.
# MAGIC
# MAGIC | Widget | Description |
# MAGIC |---|---|
# MAGIC | `lake` | Location of the lake: `catalog.schema`, a folder, or a storage URL. If empty, the settings apply. |
# MAGIC | `project` | Project key, for example `PAY`. Can be empty if there is only one project. |
# MAGIC | `as_of` | Point in the past to show: a date, a time, or a position in the history. If empty, the current state. |
# MAGIC | `wheel` | Wheel to install. If empty, the wheel that the bundle deployed with this notebook. |

# COMMAND ----------

dbutils.widgets.text("lake", "")
dbutils.widgets.text("project", "")
dbutils.widgets.text("as_of", "")
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
args = [asked["project"]] if asked["project"] else []
for name, flag in (("lake", "--lake"), ("as_of", "--as-of")):
    if asked[name]:
        args += [flag, asked[name]]

# COMMAND ----------

displayHTML(lakeplan.run("visualize", "--out", "-", *args, json=False))
