//! One line of columns to draw on, letter by letter.

use super::style::{Paint, Style};
use unicode_width::UnicodeWidthChar;

/// One line; what is drawn later covers what was drawn before.
pub(super) struct Canvas {
    cells: Vec<(String, Paint)>,
}

impl Canvas {
    /// An empty line.
    pub(super) fn new() -> Self {
        Self { cells: Vec::new() }
    }

    /// Draws `text` from `column` on. A wide letter takes two columns, a combining one none.
    pub(super) fn put(&mut self, mut column: usize, text: &str, paint: Paint) {
        for letter in text.chars() {
            let width = letter.width().unwrap_or(0);
            if width == 0 {
                if let Some((before, _)) = column.checked_sub(1).and_then(|c| self.cells.get_mut(c)) {
                    before.push(letter);
                }
                continue;
            }
            if self.cells.len() < column + width {
                self.cells.resize_with(column + width, || (" ".to_owned(), Paint::Plain));
            }
            for (n, cell) in self.cells[column..column + width].iter_mut().enumerate() {
                *cell = (if n == 0 { letter.to_string() } else { String::new() }, paint);
            }
            column += width;
        }
    }

    /// Draws `sign` in each of the columns `from..to`.
    pub(super) fn fill(&mut self, from: usize, to: usize, sign: &str, paint: Paint) {
        for column in from..to {
            self.put(column, sign, paint);
        }
    }

    /// The line, without blanks at its end and without a newline.
    pub(super) fn line(&self, style: Style) -> String {
        let mut line = String::new();
        let used = self.cells.iter().rposition(|(text, _)| text.trim() != "").map_or(0, |last| last + 1);
        let mut cells = self.cells[..used].iter().peekable();
        while let Some((text, paint)) = cells.next() {
            let mut run = text.clone();
            while let Some((more, _)) = cells.next_if(|(_, next)| next == paint) {
                run += more;
            }
            line += &style.paint(*paint, &run);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(colour: bool, draw: impl Fn(&mut Canvas)) -> String {
        let mut canvas = Canvas::new();
        draw(&mut canvas);
        canvas.line(Style { width: 80, colour, unicode: true })
    }

    #[test]
    fn later_covers_earlier_and_the_end_is_trimmed() {
        let line = drawn(false, |canvas| {
            canvas.fill(2, 8, "-", Paint::Dim);
            canvas.put(4, "ab", Paint::Bold);
            canvas.put(9, "   ", Paint::Plain);
        });
        assert_eq!(line, "  --ab--");
    }

    #[test]
    fn a_wide_letter_takes_two_columns_and_a_combining_one_none() {
        assert_eq!(drawn(false, |canvas| canvas.put(0, "漢e\u{301}x", Paint::Plain)), "漢e\u{301}x");
        let line = drawn(false, |canvas| {
            canvas.put(0, "漢", Paint::Plain);
            canvas.put(2, "|", Paint::Plain);
        });
        assert_eq!(line, "漢|");
    }

    #[test]
    fn a_run_of_one_colour_is_coloured_once() {
        let line = drawn(true, |canvas| {
            canvas.put(0, "abc", Paint::Bad);
            canvas.put(3, "d", Paint::Plain);
        });
        assert_eq!(line, "\u{1b}[1;31mabc\u{1b}[0md");
    }
}
