//! Bars with a label each: vertical bars for ordered values, horizontal ones for named values.

use plotters::prelude::{Color, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};

use super::drawing::{
    Area, Chart, Drawn, GRID, INK, OTHER, SERIES, WIDTH, axis, draw, fitting, line, place,
    text_width, write,
};
use crate::analytics::AnalyticsError;
use crate::analytics::report::format;

#[derive(Clone, Debug)]
pub struct Bar {
    pub name: String,
    pub value: f64,
    /// Text next to the bar.
    pub label: String,
    /// Whether the value is still incomplete.
    pub partial: bool,
}

impl Bar {
    fn colour(&self) -> plotters::style::RGBAColor {
        SERIES.mix(if self.partial { 0.45 } else { 1.0 })
    }
}

/// Draws vertical bars with an axis from 0, and its unit above it.
pub fn columns(
    name: &str,
    says: String,
    unit: &str,
    bars: &[Bar],
) -> Result<Chart, AnalyticsError> {
    const HEIGHT: i32 = 220;
    let (left, right, top, bottom) = (44, WIDTH - 4, 34, HEIGHT - 26);
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    // Leave room for the label of the highest bar.
    let (end, step) = axis(most * 1.08, true);
    let wide = f64::from(right - left) / bars.len().max(1) as f64;
    draw(name, says, HEIGHT, |area: &Area<'_>| -> Drawn {
        scale(area, unit, (end, step), (left, right, top, bottom))?;
        let names = bars.iter().map(|bar| text_width(&bar.name)).max().unwrap_or(0);
        // As many names as fit next to each other, always including the last.
        let every = (f64::from(names + text_width(" ")) / wide).ceil().max(1.0) as usize;
        for (at, bar) in bars.iter().enumerate() {
            let from = left + (wide * at as f64) as i32;
            let to = left + (wide * (at + 1) as f64) as i32;
            // Limit the width of bars if there are only a few.
            let (gap, middle) =
                (((to - from) / 8).max((to - from - 72) / 2).max(1), (from + to) / 2);
            let height = place(bar.value, end, bottom, top);
            area.draw(&Rectangle::new(
                [(from + gap, height), (to - gap, bottom)],
                bar.colour().filled(),
            ))?;
            if f64::from(text_width(&bar.label)) <= wide + 8.0 {
                write(area, &bar.label, (middle, height - 4), INK, HPos::Center, VPos::Bottom)?;
            }
            if (bars.len() - 1 - at).is_multiple_of(every) {
                write(area, &bar.name, (middle, bottom + 7), INK, HPos::Center, VPos::Top)?;
            }
        }
        line(area, (left, bottom), (right, bottom), OTHER)
    })
}

/// Draws horizontal bars, each followed by its label.
pub fn rows(name: &str, says: String, bars: &[Bar]) -> Result<Chart, AnalyticsError> {
    const ROW: i32 = 26;
    let longest =
        |of: fn(&Bar) -> &String| bars.iter().map(|bar| text_width(of(bar))).max().unwrap_or(0);
    let left = longest(|bar| &bar.name).clamp(40, 120) + 8;
    let right = WIDTH - longest(|bar| &bar.label).clamp(40, 220) - 10;
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    draw(name, says, ROW * bars.len() as i32 + 6, |area: &Area<'_>| -> Drawn {
        for (at, bar) in bars.iter().enumerate() {
            let middle = ROW * at as i32 + ROW / 2 + 3;
            let end = place(bar.value, most, left, right).max(left + 1);
            write(
                area,
                &fitting(&bar.name, left - 8),
                (left - 8, middle),
                INK,
                HPos::Right,
                VPos::Center,
            )?;
            area.draw(&Rectangle::new(
                [(left, middle - 8), (end, middle + 8)],
                bar.colour().filled(),
            ))?;
            write(area, &bar.label, (end + 6, middle), INK, HPos::Left, VPos::Center)?;
        }
        line(area, (left, 3), (left, ROW * bars.len() as i32 + 3), OTHER)
    })
}

/// Draws the axis at the left with its grid lines and its unit.
pub fn scale(
    area: &Area<'_>,
    unit: &str,
    (end, step): (f64, f64),
    (left, right, top, bottom): (i32, i32, i32, i32),
) -> Drawn {
    write(area, unit, (left, 4), OTHER, HPos::Left, VPos::Top)?;
    for tick in 0..=(end / step).round() as i32 {
        let value = f64::from(tick) * step;
        let height = place(value, end, bottom, top);
        line(area, (left, height), (right, height), GRID)?;
        write(area, &format::short(value), (left - 6, height), OTHER, HPos::Right, VPos::Center)?;
    }
    Ok(())
}
