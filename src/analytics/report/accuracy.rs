//! Compares estimates with actual effort, and shows how reliable that is for a few tasks.

use serde::Serialize;

use super::rows::Accurate;

/// Number of tasks below which a distribution shows chance rather than the team.
pub const MIN_SAMPLE: usize = 20;

/// Bins of the ratio actual ÷ estimate: the upper end and label of each.
const BINS: &[(f64, &str)] = &[
    (0.5, "< 0.5"),
    (0.8, "0.5–0.8"),
    (1.25, "0.8–1.25"),
    (2.0, "1.25–2"),
    (f64::INFINITY, "≥ 2"),
];

/// Accuracy over the completed tasks of the report's days with an estimate and a known effort.
#[derive(Clone, Debug, Serialize)]
pub struct Accuracy {
    /// Number of tasks in all these figures.
    pub tasks: usize,
    /// Number of completed tasks without an estimate, or with neither logged time nor a known
    /// start.
    pub unknown: i64,
    /// Number of `tasks` with logged time; the others use the status history.
    pub logged: usize,
    /// Ratios to the estimate that a quarter, half and three quarters of the tasks did not exceed.
    pub quartiles: Option<[f64; 3]>,
    /// Total effort ÷ total estimate; above 1 the estimates were too low.
    pub bias: Option<f64>,
    /// Number of tasks whose estimate is a range, how many ended in it, and the range of the true
    /// share (95 %).
    pub ranges: usize,
    pub within: usize,
    pub within_interval: Option<[f64; 2]>,
    pub distribution: Vec<Bin>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bin {
    pub ratio: &'static str,
    pub tasks: usize,
}

impl Accuracy {
    /// Computes the accuracy. `completed` counts every completed task of the same days.
    pub fn of(known: &[Accurate], completed: i64) -> Self {
        let mut ratios: Vec<f64> = known.iter().map(|task| task.ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let estimated: i64 = known.iter().map(|task| task.estimate_likely).sum();
        let spent: i64 = known.iter().map(|task| task.actual_minutes).sum();
        let ranges = known.iter().filter(|task| task.within_range.is_some()).count();
        let within = known.iter().filter(|task| task.within_range == Some(1)).count();
        let mut lower = f64::NEG_INFINITY;
        let mut distribution = Vec::new();
        for (upper, ratio) in BINS {
            let tasks = ratios.iter().filter(|ratio| (lower..*upper).contains(*ratio)).count();
            distribution.push(Bin { ratio, tasks });
            lower = *upper;
        }
        Self {
            tasks: known.len(),
            unknown: completed.saturating_sub(known.len().try_into().unwrap_or(i64::MAX)),
            logged: known.iter().filter(|task| task.actual_source == "logged").count(),
            quartiles: (!ratios.is_empty())
                .then(|| [0.25, 0.5, 0.75].map(|share| quantile(&ratios, share))),
            bias: (estimated > 0).then(|| spent as f64 / estimated as f64),
            ranges,
            within,
            within_interval: (ranges > 0).then(|| wilson(within, ranges)),
            distribution,
        }
    }
}

/// Returns a quantile of sorted, non-empty values, by interpolation.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// Returns Wilson's interval at 95 %: the shares that could well have produced `hits` of `n`.
fn wilson(hits: usize, n: usize) -> [f64; 2] {
    const Z: f64 = 1.96;
    let (n, share) = (n as f64, hits as f64 / n as f64);
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    [((middle - half) / whole).max(0.0), ((middle + half) / whole).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(estimate: i64, actual: i64, within: Option<i64>) -> Accurate {
        let ratio = actual as f64 / estimate as f64;
        Accurate {
            estimate_likely: estimate,
            actual_minutes: actual,
            actual_source: "logged".to_owned(),
            ratio,
            within_range: within,
        }
    }

    #[test]
    fn ratios_fall_into_bins_and_the_bias_weighs_by_effort() {
        let known = [
            task(100, 100, Some(1)),
            task(100, 150, Some(0)),
            task(100, 49, None),
            task(700, 1400, Some(0)),
        ];
        let rendered = Accuracy::of(&known, 6);
        assert_eq!(
            rendered.distribution.iter().map(|bin| bin.tasks).collect::<Vec<_>>(),
            [1, 0, 1, 1, 1]
        );
        assert_eq!(
            (rendered.tasks, rendered.unknown, rendered.ranges, rendered.within),
            (4, 2, 3, 1)
        );
        assert_eq!(rendered.bias, Some(1.699));
        assert_eq!(rendered.quartiles, Some([0.8725, 1.25, 1.625]));
    }

    #[test]
    fn one_task_in_its_range_proves_little_and_none_proves_nothing() {
        let rendered = Accuracy::of(&[task(100, 100, Some(1))], 1);
        let [low, high] = rendered.within_interval.unwrap();
        assert!((0.20..0.21).contains(&low) && high == 1.0, "{low} {high}");
        assert_eq!(rendered.quartiles, Some([1.0, 1.0, 1.0]));
        let none = Accuracy::of(&[], 3);
        assert_eq!(
            (none.quartiles, none.bias, none.within_interval, none.unknown),
            (None, None, None, 3)
        );
    }
}
