//! A table, as Markdown that also reads well in a terminal.

use std::fmt;

/// A row of cells.
pub type Row = Vec<String>;

/// A Markdown table with its columns lined up: the first to the left, the others to the right.
pub struct Table<'a> {
    pub head: &'a [&'a str],
    pub rows: &'a [Row],
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                self.rows.iter().map(|row| row[column].len()).fold(self.head[column].len(), usize::max)
            })
            .collect();
        let head: Row = self.head.iter().map(|&title| title.to_owned()).collect();
        line(f, &head, &widths)?;
        for (column, width) in widths.iter().enumerate() {
            match column {
                0 => write!(f, "|:{}-", "-".repeat(*width))?,
                _ => write!(f, "|-{}:", "-".repeat(*width))?,
            }
        }
        writeln!(f, "|")?;
        self.rows.iter().try_for_each(|row| line(f, row, &widths))
    }
}

fn line(f: &mut fmt::Formatter<'_>, cells: &Row, widths: &[usize]) -> fmt::Result {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        match column {
            0 => write!(f, "| {cell:<width$} ")?,
            _ => write!(f, "| {cell:>width$} ")?,
        }
    }
    writeln!(f, "|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let rows = [vec!["floor".to_owned(), "1".to_owned()], vec!["b".to_owned(), "12345".to_owned()]];
        let table = Table { head: &["name", "rate"], rows: &rows };
        assert_eq!(
            table.to_string(),
            "| name  |  rate |\n|:------|------:|\n| floor |     1 |\n| b     | 12345 |\n"
        );
    }
}
