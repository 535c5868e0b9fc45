//! Rows of a Markdown table: what the ways measured, and Postern's ratio to each of the others.

/// Prints a section's head.
pub(crate) fn head(title: &str, unit: &str) {
    println!("\n### {title} ({unit})\n");
    println!(
        "| | direct | bare relay | HAProxy | PgBouncer | Postern | Postern ÷ bare | ÷ HAProxy | ÷ PgBouncer |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
}

/// Prints one row from the medians in the order of [`crate::lab::Lab::ways`].
pub(crate) fn row(name: &str, medians: &[f64]) {
    let cells: Vec<String> = medians.iter().map(|value| format!("{value:.0}")).collect();
    let ours = medians.last().copied().unwrap_or(f64::NAN);
    let ratio = |other: usize| medians.get(other).map_or(f64::NAN, |value| ours / value);
    println!("| {name} | {} | {:.2} | {:.2} | {:.2} |", cells.join(" | "), ratio(1), ratio(2), ratio(3));
}

/// The median of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which this share of the measurements lies.
pub(crate) fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let place = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(place).copied().unwrap_or(f64::NAN)
}
