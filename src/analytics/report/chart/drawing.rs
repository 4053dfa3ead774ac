//! The drawing area of a chart, its colours, and what every chart draws in it.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    DrawingArea, IntoDrawingArea, IntoFont, PathElement, RGBColor, SVGBackend, Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::analytics::AnalyticsError;
use crate::text::visible::visible_line;

/// Colour of measured values, from Okabe and Ito's palette for colour-blind readers.
pub(super) const SERIES: RGBColor = RGBColor(0x00, 0x72, 0xb2);
/// Colour of the values to compare with.
pub(super) const OTHER: RGBColor = RGBColor(0x76, 0x76, 0x76);
pub(super) const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
pub(super) const GRID: RGBColor = RGBColor(0xd8, 0xdc, 0xe0);

/// Width of every chart, in the same units as its text.
pub(super) const WIDTH: i32 = 440;
const TEXT: f64 = 12.5;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Chart as the content of an `svg` element, with what the element says about it.
pub struct Chart {
    pub name: String,
    /// Sentence on what the chart shows, also for readers who cannot see it.
    pub says: String,
    pub width: i32,
    pub height: i32,
    /// Drawing as SVG, whose texts are escaped.
    pub drawing: String,
}

/// Draws a chart of [`WIDTH`] and this height.
pub(super) fn draw(
    name: &str,
    says: String,
    height: i32,
    with: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<Chart, AnalyticsError> {
    let mut svg = String::new();
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    with(&area)
        .and_then(|()| area.present())
        .map_err(|err| AnalyticsError::Encoding(err.into()))?;
    drop(area);
    // The page writes the element itself, so that it scales.
    let drawing =
        svg.split_once('>').map_or("", |(_, rest)| rest.trim_end().trim_end_matches("</svg>"));
    let (name, drawing) = (name.to_owned(), drawing.to_owned());
    Ok(Chart { name, says, width: WIDTH, height, drawing })
}

pub(super) fn line(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Drawn {
    area.draw(&PathElement::new(vec![from, to], colour))
}

pub(super) fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    colour: RGBColor,
    horizontal: HPos,
    vertical: VPos,
) -> Drawn {
    // The backend divides sizes by this factor to convert them to SVG.
    let font = ("sans-serif", TEXT * 1.24).into_font();
    let style = TextStyle::from(font).color(&colour).pos(Pos::new(horizontal, vertical));
    area.draw(&Text::new(visible_line(text).into_owned(), at, style))
}

/// Returns the width of a text, rounded up to that in the wider of the common sans-serif fonts.
pub(super) fn text_width(text: &str) -> i32 {
    (visible_line(text).chars().map(letter_width).sum::<f64>() * TEXT).ceil() as i32
}

/// Returns the width of a letter as a part of the font's size.
fn letter_width(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.46,
        'f' | 'r' | 't' | '(' | ')' | '-' | '/' => 0.48,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1.08,
        '+' | '=' | '<' | '>' | '&' | '~' | '#' => 0.84,
        letter if letter.is_ascii_lowercase() || letter.is_ascii_digit() => 0.64,
        letter if letter.is_ascii() => 0.8,
        // Ideographs are as wide as they are high.
        _ => 1.0,
    }
}

/// Truncates a text to a width.
pub(super) fn fitting(text: &str, width: i32) -> String {
    let mut text = visible_line(text).into_owned();
    if text_width(&text) <= width {
        return text;
    }
    while text.chars().count() > 1 && text_width(&format!("{text}…")) > width {
        text.pop();
    }
    text + "…"
}

/// Returns the end of an axis from 0, which is a round number not below `most`, and the step
/// between its ticks. `whole` rules out fractional steps.
pub(super) fn axis(most: f64, whole: bool) -> (f64, f64) {
    let rough = (most / 4.0).max(if whole { 1.0 } else { f64::MIN_POSITIVE });
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|nice| nice * power)
        .find(|step| *step >= rough * 0.999 && (!whole || step.fract() == 0.0))
        .unwrap_or(rough);
    ((most / step * 0.9999).ceil().max(1.0) * step, step)
}

/// Returns the position of a value between two places, on an axis that ends at `end`.
pub(super) fn place(value: f64, end: f64, from: i32, to: i32) -> i32 {
    from + (f64::from(to - from) * value / end).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_with_few_ticks() {
        let chart = [0.0, 1.0, 3.0, 4.0, 5.0, 37.0, 1000.0, 1001.0].map(|most| axis(most, true));
        assert_eq!(
            chart,
            [
                (1.0, 1.0),
                (1.0, 1.0),
                (3.0, 1.0),
                (4.0, 1.0),
                (6.0, 2.0),
                (40.0, 10.0),
                (1000.0, 250.0),
                (1250.0, 250.0)
            ]
        );
        assert_eq!(axis(0.9, false), (1.0, 0.25));
    }

    #[test]
    fn a_name_has_the_width_that_it_takes_and_is_cut_only_beyond_it() {
        // Measured in DejaVu Sans.
        assert!(text_width("Unassigned") >= 73 && text_width("mmm") > text_width("iii"));
        assert_eq!(fitting("Unassigned", text_width("Unassigned")), "Unassigned");
        assert_eq!(fitting("Unassigned", 50), "Unas…");
        assert_eq!(fitting("W", 1), "W…");
    }

    #[test]
    fn a_drawing_is_no_element_and_takes_no_text_for_markup() {
        let chart = draw("name", "says".to_owned(), 40, |area| {
            write(area, "<script>&", (0, 0), INK, HPos::Left, VPos::Top)
        });
        let drawing = chart.unwrap().drawing;
        assert!(drawing.contains("&lt;script&gt;&amp;") && !drawing.contains("svg"), "{drawing}");
    }
}
