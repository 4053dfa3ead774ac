//! Every text gives a plan that passes the check of plans.

use lakeplan::planning::outline::outline;
use lakeplan::planning::planner::Options;
use lakeplan::planning::unverified::Unverified;
use lakeplan::planning::valid_plan::ValidPlan;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::config;

/// Lines from which texts are put together: headings, lists, states, estimates and references.
const LINES: &[&str] = &[
    "# Harbour\n",
    "## Plan\n",
    "## Phase 1: Base\n",
    "## Phase 2: Import (cancelled)\n",
    "## Phase 3: Export\n",
    "### Step 1: Draw\n",
    "### Step 2: Build (done)\n",
    "## Requirements\n",
    "- Draw the plans (1 day) @ana\n",
    "- [x] Buy wood (2 h)\n",
    "- [-] Rent a crane\n",
    "- Build the pier (2-3 days), depends on \"Draw the plans\"\n",
    "- Build the pier (2-3 days), depends on Phase 1\n",
    "  - Dig the holes, blocks Step 2\n",
    "  - Set the posts (30m), after \"Dig the holes\"\n",
    "1. Survey (1h)\n",
    "2. Permit (cancelled)\n",
    "3. Open, depends on step 1\n",
    "1. [ ] Lay the stones (1 day)\n2. [-] Buy the crane\n",
    "3. [ ] Ship the boxes (1 day), depends on \"Lay the stones\"\n",
    "depends on Phase 1\n",
    "Depends on: Step 1, \"Set the posts\"\n",
    "Blocks: Phase 3\n",
    "- The pier must hold a truck.\n",
    "| Task | Estimate | Depends on |\n|---|---|---|\n| Paint | 2h | Survey |\n| Rails | 1d | Paint |\n",
    "\n",
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_plan_of_any_text_is_valid(lines in vec(select(LINES), 1..30)) {
        let text = lines.concat();
        let options = Options::default();
        let plan = ValidPlan::check(Unverified::new(outline(&text, options)), &text, options);
        prop_assert!(plan.is_ok(), "{:?}\n{}", plan.err(), text);
    }
}
