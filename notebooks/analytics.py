# Databricks notebook source
# MAGIC %md
# MAGIC # Progress of the plan
# MAGIC
# MAGIC This notebook shows the report as a page. Below the report, it shows the underlying numbers: the accuracy of the
# MAGIC estimates, the work completed per week, and the remaining work. The queries use the lake's views. SQL warehouses and
# MAGIC dashboards use the same views.
# MAGIC
# MAGIC | Widget | Description |
# MAGIC |---|---|
# MAGIC | `lake` | Location of the lake: `catalog.schema`, a folder, or a storage URL. If empty, the settings apply. |
# MAGIC | `project` | Project key, for example `PAY`. If empty, all projects. |
# MAGIC | `wheel` | Wheel to install. If empty, the wheel that the bundle deployed with this notebook. |

# COMMAND ----------

dbutils.widgets.text("lake", "")
dbutils.widgets.text("project", "")
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

lake, project = dbutils.widgets.get("lake"), dbutils.widgets.get("project").upper()


def ask(sql):
    """Returns the rows of the project, or of all projects."""
    found = lakeplan.query(sql, lake=lake or None)
    return found[found["project"] == project] if project else found


# COMMAND ----------

# MAGIC %md
# MAGIC ## The report

# COMMAND ----------

from pathlib import Path
from tempfile import TemporaryDirectory

with TemporaryDirectory() as folder:
    page = Path(folder, "report.html")
    chosen = [*(["--project", project] if project else []), *(["--lake", lake] if lake else [])]
    lakeplan.run("report", "--out", str(page), *chosen)
    displayHTML(page.read_text())

# COMMAND ----------

# MAGIC %md
# MAGIC ## Accuracy: estimated and actual effort
# MAGIC
# MAGIC A ratio of 1 means that the likely effort was correct. A ratio above 1 means that the work took longer. If no effort
# MAGIC was logged, it is derived from the time between start and completion. The column `actual_source` shows this.

# COMMAND ----------

accuracy = ask("""
SELECT project, task, title, ROUND(estimate_likely / 60.0, 1) AS likely_hours, ROUND(actual_minutes / 60.0, 1) AS actual_hours,
  ROUND(ratio, 2) AS ratio, within_range, actual_source, CAST(completed_at AS DATE) AS completed
FROM planning_accuracy ORDER BY completed_at DESC
""")
if len(accuracy):
    known = accuracy["within_range"].dropna()
    print(f"{len(accuracy)} completed tasks with an estimate. The median actual effort is {accuracy['ratio'].median():.2f} times the likely effort.")
    print(f"{int(known.sum())} of {len(known)} are within their estimated range.")
display(accuracy)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Velocity: work completed per week
# MAGIC
# MAGIC Weeks start on Monday. The hours are the likely hours and the logged hours of the completed tasks.

# COMMAND ----------

velocity = ask("""
SELECT project, week, tasks, ROUND(likely_minutes / 60.0, 1) AS likely_hours, ROUND(logged_minutes / 60.0, 1) AS logged_hours
FROM velocity ORDER BY project, week
""")
display(velocity)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Burn-up: scope and completed tasks

# COMMAND ----------

burn_up = ask("SELECT project, day, scope, completed, scope - completed AS left FROM burn_up ORDER BY project, day")
display(burn_up)
