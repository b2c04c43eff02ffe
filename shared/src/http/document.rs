//! Completes the document of a profile for a response.

use super::{App, bytes_of, fit_beside, problem::Problem};
use crate::profile::Document;

/// Adds what products say to the document. The history is truncated to what fits a response beside the other sections.
///
/// # Errors
/// The products cannot be read.
pub async fn complete(app: &App, document: &mut Document) -> Result<(), Problem> {
    let mut page = document.history.as_mut().map(|history| &mut history.page);
    let items = page.as_mut().map(|page| page.items.as_mut_slice());
    app.products
        .join(
            &app.table,
            items.unwrap_or_default(),
            document.summary.as_mut(),
        )
        .await?;
    let open_orders = document
        .summary
        .as_ref()
        .map(|summary| &summary.open_orders);
    let used = open_orders.map_or(0, bytes_of)
        + document.notes.as_ref().map_or(0, bytes_of)
        + document.matches.as_ref().map_or(0, bytes_of);
    if let Some(page) = page
        && let Some(last) = fit_beside(&mut page.items, used)
    {
        page.next = Some(page.items[last].cursor(&document.id));
    }
    Ok(())
}
