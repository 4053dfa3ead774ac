# Databricks notebook source
# MAGIC %md
# MAGIC # A project as tree and timeline
# MAGIC
# MAGIC Shows where a project stands: its tasks as a tree beside a timeline, with filter and zoom. The page needs no network.
# MAGIC Bars of open tasks are order and effort, not a schedule.
# MAGIC
# MAGIC | widget | what it is |
# MAGIC |---|---|
# MAGIC | `lake` | where the lake is: `catalog.schema`, a folder or a storage URL; empty: as the settings say |
# MAGIC | `project` | the project's key, such as `PAY`; may stay empty where there is one project |
# MAGIC | `as_of` | show it as it was: a date, a time or a position in the history; empty: as it is |
# MAGIC | `wheel` | the wheel to install; empty: the one that the bundle deployed beside this notebook |

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
    raise FileNotFoundError("lakeplan is not installed, and no bundle deployed its wheel beside this notebook: name it in the widget wheel")
# Where it is installed already, pip has nothing to do. By its bare name it is never asked of a package index.
wheel = wheel or "pip"

# COMMAND ----------

# MAGIC %pip install --quiet $wheel

# COMMAND ----------

import lakeplan

asked = dbutils.widgets.getAll()
words = [asked["project"]] if asked["project"] else []
for name, flag in (("lake", "--lake"), ("as_of", "--as-of")):
    if asked[name]:
        words += [flag, asked[name]]

# COMMAND ----------

displayHTML(lakeplan.run("visualize", "--out", "-", *words, json=False))
