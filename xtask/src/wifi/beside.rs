//! Tables of nodes, side by side.

use anyhow::Result;

use crate::interop::node::{Kind, Node};

/// Prints what the nodes' own tools say: originators and neighbours, a column for each node.
pub(super) fn show(nodes: &[&Node]) -> Result<()> {
    for table in ["originators", "neighbors"] {
        let columns = nodes.iter().map(|node| {
            let kind = if node.kind == Kind::Kernel { "kernel module" } else { "Noctule" };
            let mut lines = vec![format!("{} ({kind}) {} {table}", node.name(), node.tool_name())];
            let text = node.tool(&[table])?.success()?;
            lines.extend(text.lines().map(|line| line.replace('\t', " ")));
            Ok(lines)
        });
        print!("{}", join(&columns.collect::<Result<Vec<_>>>()?));
    }
    Ok(())
}

/// Columns of lines as one text, indented.
fn join(columns: &[Vec<String>]) -> String {
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<_> = columns
        .iter()
        .map(|lines| lines.iter().map(|line| line.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in 0..rows {
        let mut line = String::from("   ");
        for (column, width) in columns.iter().zip(&widths) {
            let cell = column.get(row).map_or("", String::as_str);
            line.push_str(&format!(" {cell:width$} |"));
        }
        text.push_str(line.trim_end_matches(['|', ' ']));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_side_by_side() {
        let column = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let text = join(&[column(&["a", "long"]), column(&["b"])]);
        assert_eq!(text, "    a    | b\n    long\n");
    }
}
