# Databricks notebook source
# MAGIC %md
# MAGIC # How the plan comes along
# MAGIC
# MAGIC The report as a page, and below it what it is made of: how good the estimates were, how much gets done in a week, and how
# MAGIC far the work is from its end. The questions go to the lake's views, which SQL warehouses and dashboards ask too.
# MAGIC
# MAGIC | widget | what it is |
# MAGIC |---|---|
# MAGIC | `lake` | where the lake is: `catalog.schema`, a folder or a storage URL; empty: as the settings say |
# MAGIC | `project` | the project's key, such as `PAY`; empty: all projects |
# MAGIC | `wheel` | the wheel to install; empty: the one that the bundle deployed beside this notebook |

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
    raise FileNotFoundError("lakeplan is not installed, and no bundle deployed its wheel beside this notebook: name it in the widget wheel")
# Where it is installed already, pip has nothing to do. By its bare name it is never asked of a package index.
wheel = wheel or "pip"

# COMMAND ----------

# MAGIC %pip install --quiet $wheel

# COMMAND ----------

import lakeplan

lake, project = dbutils.widgets.get("lake"), dbutils.widgets.get("project").upper()


def ask(sql):
    """The rows of the project, or of all."""
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
# MAGIC ## Accuracy: what was estimated, and what it took
# MAGIC
# MAGIC A ratio of 1 means that the likely effort was right; above 1 the work took longer. Work that nobody logged is taken from
# MAGIC the time between start and end, and says so.

# COMMAND ----------

accuracy = ask("""
SELECT project, task, title, ROUND(estimate_likely / 60.0, 1) AS likely_hours, ROUND(actual_minutes / 60.0, 1) AS actual_hours,
  ROUND(ratio, 2) AS ratio, within_range, actual_source, CAST(completed_at AS DATE) AS completed
FROM planning_accuracy ORDER BY completed_at DESC
""")
if len(accuracy):
    known = accuracy["within_range"].dropna()
    print(f"{len(accuracy)} completed tasks with an estimate. Half of them took more than {accuracy['ratio'].median():.2f} times the likely effort.")
    print(f"{int(known.sum())} of {len(known)} lie within their range.")
display(accuracy)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Velocity: what gets done in a week
# MAGIC
# MAGIC Weeks begin on Monday; the hours are those the tasks were planned with, and those that were logged.

# COMMAND ----------

velocity = ask("""
SELECT project, week, tasks, ROUND(likely_minutes / 60.0, 1) AS likely_hours, ROUND(logged_minutes / 60.0, 1) AS logged_hours
FROM velocity ORDER BY project, week
""")
display(velocity)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Burn-up: how much there is to do, and how much is done

# COMMAND ----------

burn_up = ask("SELECT project, day, scope, completed, scope - completed AS left FROM burn_up ORDER BY project, day")
display(burn_up)
