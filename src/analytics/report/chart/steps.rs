//! Draws the burn-up: scope as a stepped line, and the completed part as an area below another
//! line.

use chrono::{Datelike, NaiveDate, TimeDelta};
use plotters::prelude::{Circle, Color, PathElement, Polygon};
use plotters::style::text_anchor::{HPos, VPos};

use super::bars::scale;
use super::drawing::{
    Area, Chart, Drawn, OTHER, SERIES, WIDTH, axis, draw, line, place, text_width, write,
};
use crate::analytics::AnalyticsError;
use crate::analytics::report::format;
use crate::analytics::report::trend::Day;

/// Draws scope and completed tasks by day. `days` are ordered; each value holds until the next.
pub fn steps(name: &str, says: String, days: &[Day]) -> Result<Chart, AnalyticsError> {
    const HEIGHT: i32 = 220;
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return draw(name, says, HEIGHT, |_| Ok(()));
    };
    let labels = (
        format::count(&last.scope, "task"),
        format!("{} done", format::thousands(&last.completed)),
    );
    let widest = text_width(&labels.0).max(text_width(&labels.1));
    let (left, right, top, bottom) = (44, WIDTH - 8 - widest, 34, HEIGHT - 26);
    let most = days.iter().map(|day| day.scope.max(day.completed)).max().unwrap_or(0) as f64;
    let (end, step) = axis(most, true);
    // A single day takes the whole width.
    let begin = if first.day < last.day { first.day } else { last.day - TimeDelta::days(1) };
    let span = (last.day - begin).num_days() as f64;
    let across = |day: NaiveDate| place((day - begin).num_days() as f64, span, left, right);
    let path = |of: fn(&Day) -> i64| {
        let mut path: Vec<(i32, i32)> = Vec::new();
        for day in days {
            let (x, y) = (across(day.day), place(of(day) as f64, end, bottom, top));
            path.extend(path.last().map(|before| (x, before.1)));
            path.push((x, y));
        }
        path
    };
    let (scope, completed) = (path(|day| day.scope), path(|day| day.completed));
    draw(name, says, HEIGHT, |area: &Area<'_>| -> Drawn {
        scale(area, "tasks", (end, step), (left, right, top, bottom))?;
        for day in ticks(begin, last.day) {
            line(area, (across(day), bottom), (across(day), bottom + 4), OTHER)?;
            let text =
                if span > 300.0 { day.format("%b %Y").to_string() } else { format::day(&day) };
            let side =
                if across(day) > right - 16 && span > 1.0 { HPos::Right } else { HPos::Center };
            write(area, &text, (across(day), bottom + 7), OTHER, side, VPos::Top)?;
        }
        let mut below = completed.clone();
        below.extend([
            (completed.last().map_or(right, |end| end.0), bottom),
            (completed.first().map_or(left, |end| end.0), bottom),
        ]);
        area.draw(&Polygon::new(below, SERIES.mix(0.18)))?;
        area.draw(&PathElement::new(scope.clone(), OTHER.stroke_width(2)))?;
        area.draw(&PathElement::new(completed.clone(), SERIES.stroke_width(3)))?;
        line(area, (left, bottom), (right, bottom), OTHER)?;
        let (Some(scope), Some(completed)) = (scope.last(), completed.last()) else {
            return Ok(());
        };
        area.draw(&Circle::new(*scope, 3, OTHER.filled()))?;
        area.draw(&Circle::new(*completed, 4, SERIES.filled()))?;
        let apart = (completed.1 - scope.1).max(16);
        let low = (scope.1 + apart).max(top + 16);
        write(area, &labels.0, (right + 8, low - apart), OTHER, HPos::Left, VPos::Center)?;
        write(area, &labels.1, (right + 8, low), SERIES, HPos::Left, VPos::Center)
    })
}

/// Returns at most five days to label: Mondays, or any days if the span is short.
fn ticks(from: NaiveDate, to: NaiveDate) -> Vec<NaiveDate> {
    let span = (to - from).num_days();
    let step = [1, 7, 14, 28, 56, 91, 182, 364, 728]
        .into_iter()
        .find(|step| span / step < 5)
        .unwrap_or(span / 4 + 1);
    let offset =
        if step == 1 { 0 } else { (7 - i64::from(from.weekday().num_days_from_monday())) % 7 };
    (0..)
        .map(|at| from + TimeDelta::days(offset + at * step))
        .take_while(|day| *day <= to)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_named_are_few_and_mondays() {
        let day = |text: &str| -> NaiveDate { text.parse().unwrap() };
        let chart = ticks(day("2026-09-10"), day("2026-11-21"));
        assert_eq!(
            chart.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2026-09-14", "2026-10-12", "2026-11-09"]
        );
        assert_eq!(ticks(day("2026-09-10"), day("2026-09-12")).len(), 3);
        for days in 1..3000 {
            let named = ticks(day("2020-01-01"), day("2020-01-01") + TimeDelta::days(days)).len();
            assert!((1..=5).contains(&named) || days < 7, "{named} of {days} days");
        }
    }

    #[test]
    fn one_day_is_a_chart_too() {
        let today = Day { day: "2026-09-10".parse().unwrap(), scope: 3, completed: 0 };
        let chart = steps("a", "b".to_owned(), &[today]).unwrap().drawing;
        assert!(
            chart.contains("3 tasks") && chart.contains("0 done") && !chart.contains("NaN"),
            "{chart}"
        );
    }
}
