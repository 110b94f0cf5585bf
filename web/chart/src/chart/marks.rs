//! Times in which something fired, on whatever has time as its axis: a flag where it began, however many there are.

use super::Plot;
use crate::{
    surface::{Dash, Draw, Stroke, Surface},
    tokens::{Ink, Token},
};

/// Flags stand at least so far apart, CSS pixels: each is to be hit with a finger.
const APART: f64 = 26.0;
const RIBBON: f64 = 3.0;
/// More flags than this say when by themselves: lines and shades would hide the data.
const CROWD: usize = 12;

/// A time in which something fired.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    /// Unix nanoseconds.
    pub from: i64,
    /// Unix nanoseconds.
    pub to: i64,
    /// How bad: info, warning, critical.
    pub rank: u8,
}

/// Where marks begin that are too near each other to be told apart.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Flag {
    /// CSS pixels.
    pub x: f64,
    /// Up to the next flag or the right edge.
    pub room: f64,
    /// The worst of its marks.
    pub rank: u8,
    /// Their places in what was given, in order of time.
    pub marks: Vec<usize>,
}

/// Colour of a rank.
fn ink(rank: u8) -> Ink {
    [Token::Accent, Token::Warn, Token::Err][usize::from(rank.min(2))].into()
}

impl Plot {
    /// Flags for marks, from left to right. What began before the chart has its flag at the left edge.
    pub fn flags(&self, marks: &[Mark]) -> Vec<Flag> {
        let is_seen = |mark: &Mark| mark.to > self.time.from && mark.from < self.time.to;
        let mut seen: Vec<usize> = (0..marks.len()).filter(|at| is_seen(&marks[*at])).collect();
        seen.sort_by_key(|at| marks[*at].from);
        let mut flags: Vec<Flag> = Vec::new();
        for at in seen {
            let x = self.x(marks[at].from).max(self.area.left);
            match flags.last_mut().filter(|flag| x - flag.x < APART) {
                Some(flag) => {
                    flag.rank = flag.rank.max(marks[at].rank);
                    flag.marks.push(at);
                }
                None => flags.push(Flag { x, room: 0.0, rank: marks[at].rank, marks: vec![at] }),
            }
        }
        let ends: Vec<f64> = flags.iter().skip(1).map(|flag| flag.x).chain([self.area.right]).collect();
        flags.iter_mut().zip(ends).for_each(|(flag, end)| flag.room = end - flag.x);
        flags
    }
}

/// Draws marks above a chart: a ribbon above the field for as long as they lasted; and unless there are many, a line where
/// each flag stands, and with `shade` the field below the ribbon.
pub fn draw_marks<S: Surface>(plot: &Plot, marks: &[Mark], flags: &[Flag], shade: bool, surface: &mut S) {
    let area = plot.area;
    let is_crowded = flags.len() > CROWD;
    for rank in 0..=2 {
        for (from, to) in lasted(marks.iter().filter(|mark| mark.rank.min(2) == rank)) {
            let (left, right) = (plot.x(from).max(area.left), plot.x(to).min(area.right));
            if right <= left {
                continue;
            }
            // The shortest are to be seen.
            let width = (right - left).max(2.0);
            surface.fill_rect(left, area.top - RIBBON, width, RIBBON, ink(rank));
            if shade && !is_crowded {
                surface.fill_rect(left, area.top, width, area.height(), ink(rank).fade(0.1));
            }
        }
    }
    for flag in flags.iter().filter(|_| !is_crowded) {
        let x = flag.x.floor() + 0.5;
        surface.line((x, area.top), (x, area.bottom), &Stroke::new(ink(flag.rank), 1.0).dash(Dash::Short));
    }
}

/// Times in which at least one lasted.
fn lasted<'a>(marks: impl Iterator<Item = &'a Mark>) -> Vec<(i64, i64)> {
    let mut times: Vec<(i64, i64)> = marks.map(|mark| (mark.from, mark.to)).collect();
    times.sort_unstable();
    let mut whole: Vec<(i64, i64)> = Vec::new();
    for (from, to) in times {
        match whole.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => whole.push((from, to)),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChartSpec, svg::SvgSurface};

    fn plot() -> Plot {
        Plot::new(&ChartSpec { to: 1_000, ..ChartSpec::default() }, &SvgSurface::new(536.0, 100.0))
    }

    fn mark(from: i64, to: i64, rank: u8) -> Mark {
        Mark { from, to, rank }
    }

    #[test]
    fn neighbours_share_a_flag_and_the_worst_gives_the_colour() {
        let plot = plot();
        let marks = [
            mark(600, 700, 1),
            mark(100, 200, 0),
            mark(110, 120, 2),
            mark(-50, 20, 1),
            mark(-90, -10, 2),
            mark(2_000, 3_000, 2),
        ];
        let flags = plot.flags(&marks);
        let found: Vec<_> = flags.iter().map(|flag| (flag.marks.clone(), flag.rank)).collect();
        assert_eq!(found, [(vec![3], 1), (vec![1, 2], 2), (vec![0], 1)]);
        assert_eq!(flags[0].x, plot.area.left, "what began before is at the edge");
        assert_eq!(flags[2].x + flags[2].room, plot.area.right);
    }

    #[test]
    fn hundreds_do_not_clutter() {
        let (plot, mut surface) = (plot(), SvgSurface::new(536.0, 100.0));
        let marks: Vec<Mark> = (0..900).map(|at| mark(at, at + 50, (at % 3) as u8)).collect();
        let flags = plot.flags(&marks);
        assert!(flags.len() <= 20, "{}", flags.len());
        assert_eq!(flags.iter().map(|flag| flag.marks.len()).sum::<usize>(), 900, "each is in one flag");
        assert!(flags.windows(2).all(|two| two[1].x - two[0].x >= APART));
        draw_marks(&plot, &marks, &flags, true, &mut surface);
        let drawn = surface.finish("", "").matches("<path").count();
        assert_eq!(drawn, 3, "a ribbon for each rank");
        let few = &flags[..2];
        let mut surface = SvgSurface::new(536.0, 100.0);
        draw_marks(&plot, &marks, few, true, &mut surface);
        assert_eq!(surface.finish("", "").matches("<path").count(), 8, "ribbons, shades and lines");
    }
}
