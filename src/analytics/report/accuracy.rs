//! How estimates compare with what the work took, and how far so few tasks can be trusted to say it.

use serde::Serialize;

use super::rows::Accurate;

/// Below this many tasks a distribution says more of chance than of the team.
pub const FEW: usize = 20;

/// The bins of the ratio actual ÷ estimate: the upper end of each and what it is called.
const BINS: &[(f64, &str)] = &[
    (0.5, "< 0.5"),
    (0.8, "0.5–0.8"),
    (1.25, "0.8–1.25"),
    (2.0, "1.25–2"),
    (f64::INFINITY, "≥ 2"),
];

/// The completed tasks of the report's days that had an estimate and whose effort is known.
#[derive(Clone, Debug, Serialize)]
pub struct Accuracy {
    /// How many tasks all of this rests on.
    pub tasks: usize,
    /// How many were completed but had no estimate, or neither logged time nor a known start.
    pub unknown: i64,
    /// How many of `tasks` have logged time; the others are taken from the status history.
    pub logged: usize,
    /// Quarter, half and three quarters of the tasks took at most this many times their estimate.
    pub quartiles: Option<[f64; 3]>,
    /// All that was spent ÷ all that was estimated; over 1 the estimates were too low.
    pub bias: Option<f64>,
    /// Tasks whose estimate is a range, how many of them ended in it, and where the true share may lie (95 %).
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
    /// `completed` counts every completed task of the same days.
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

/// Of sorted values that are not empty, by interpolation.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// Wilson's interval at 95 %: which shares could well have given `hits` of `n`.
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
        let told = Accuracy::of(&known, 6);
        assert_eq!(
            told.distribution.iter().map(|bin| bin.tasks).collect::<Vec<_>>(),
            [1, 0, 1, 1, 1]
        );
        assert_eq!((told.tasks, told.unknown, told.ranges, told.within), (4, 2, 3, 1));
        assert_eq!(told.bias, Some(1.699));
        assert_eq!(told.quartiles, Some([0.8725, 1.25, 1.625]));
    }

    #[test]
    fn one_task_in_its_range_proves_little_and_none_proves_nothing() {
        let told = Accuracy::of(&[task(100, 100, Some(1))], 1);
        let [low, high] = told.within_interval.unwrap();
        assert!((0.20..0.21).contains(&low) && high == 1.0, "{low} {high}");
        assert_eq!(told.quartiles, Some([1.0, 1.0, 1.0]));
        let none = Accuracy::of(&[], 3);
        assert_eq!(
            (none.quartiles, none.bias, none.within_interval, none.unknown),
            (None, None, None, 3)
        );
    }
}
