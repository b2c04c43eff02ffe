//! Images of the products: flat drawings in the colors of their brand.

use std::io;
use std::path::Path;

use crate::catalogue::{Product, products};

/// Writes an image of every product to `folder`.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for product in products() {
        std::fs::write(
            folder.join(format!("{}.svg", product.slug())),
            svg(&product),
        )?;
    }
    Ok(())
}

fn svg(product: &Product) -> String {
    let fill = match product.color {
        "Navy" => "#27406b",
        "Oat" => "#d9c7a5",
        "Moss" => "#6d7f4a",
        "Rust" => "#b0552f",
        "Charcoal" => "#464b52",
        _ => "#8fb8d6",
    };
    let (paper, ink, path) = (product.brand.paper, product.brand.ink, product.kind.path);
    let (brand, name) = (product.brand.name.replace('&', "&amp;"), &product.name);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 120 120\" role=\"img\">\n\
         <title>{brand}: {name}</title>\n\
         <rect width=\"120\" height=\"120\" rx=\"10\" fill=\"{paper}\"/>\n\
         <ellipse cx=\"60\" cy=\"108\" rx=\"38\" ry=\"4\" fill=\"{ink}\" opacity=\".15\"/>\n\
         <path d=\"{path}\" fill=\"{fill}\" stroke=\"{ink}\" stroke-width=\"2.5\" stroke-linejoin=\"round\" fill-rule=\"evenodd\"/>\n\
         </svg>\n"
    )
}
