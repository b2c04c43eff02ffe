//! The products for sale: the catalog of a small outfitter.

use serde_json::{Value, json};

/// A product of one kind and brand.
#[derive(Debug, Clone)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) kind: &'static Kind,
    pub(crate) brand: &'static Brand,
    pub(crate) color: &'static str,
    /// The price, in cents.
    pub(crate) cents: u64,
    /// The position in the catalog, which makes IDs unique.
    number: usize,
}

/// A kind of product.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    department: &'static str,
    category: &'static str,
    subcategory: &'static str,
    /// The usual price, in cents.
    cents: u64,
    sizes: &'static [&'static str],
    description: &'static str,
    /// The drawing: an SVG path in a square of 120 by 120.
    pub(crate) path: &'static str,
}

/// A brand, with the background and ink colors of its drawings.
#[derive(Debug)]
pub(crate) struct Brand {
    pub(crate) name: &'static str,
    pub(crate) paper: &'static str,
    pub(crate) ink: &'static str,
}

const BRANDS: [Brand; 5] = [
    Brand {
        name: "Northfold",
        paper: "#e8eef2",
        ink: "#2f4858",
    },
    Brand {
        name: "Marlow & Finch",
        paper: "#f6ebe1",
        ink: "#a4552e",
    },
    Brand {
        name: "Saltbush",
        paper: "#e9f0e4",
        ink: "#4c6b3f",
    },
    Brand {
        name: "Kestrel",
        paper: "#efe9f5",
        ink: "#5b4488",
    },
    Brand {
        name: "Harbour Lane",
        paper: "#e3f1f4",
        ink: "#1f6f83",
    },
];

const COLORS: [&str; 6] = ["Navy", "Oat", "Moss", "Rust", "Charcoal", "Sky"];
const CLOTHES: &[&str] = &["XS", "S", "M", "L", "XL"];
const SHOES: &[&str] = &["37", "39", "41", "43", "45"];
const ONE: &[&str] = &["One size"];

const KINDS: [Kind; 12] = [
    Kind {
        name: "Rib Crew Knit",
        department: "clothing",
        category: "knitwear",
        subcategory: "jumpers",
        cents: 8_995,
        sizes: CLOTHES,
        description: "A warm crew neck in a dense rib that keeps its shape.",
        path: "M40 25 L20 40 L28 60 L36 55 L36 98 L84 98 L84 55 L92 60 L100 40 L80 25 Q60 38 40 25Z",
    },
    Kind {
        name: "Oxford Shirt",
        department: "clothing",
        category: "shirts",
        subcategory: "long sleeve",
        cents: 6_500,
        sizes: CLOTHES,
        description: "Washed cotton with a soft collar and a pocket for a pen.",
        path: "M42 22 L22 36 L30 58 L38 53 L38 98 L82 98 L82 53 L90 58 L98 36 L78 22 L60 34Z",
    },
    Kind {
        name: "Waxed Jacket",
        department: "clothing",
        category: "outerwear",
        subcategory: "jackets",
        cents: 21_900,
        sizes: CLOTHES,
        description: "Keeps out a day of rain; four pockets, two of them warm.",
        path: "M40 20 L18 38 L24 70 L34 68 L34 104 L58 104 L58 40 L62 40 L62 104 L86 104 L86 68 L96 70 L102 38 L80 20 L60 30Z",
    },
    Kind {
        name: "Straight Jeans",
        department: "clothing",
        category: "trousers",
        subcategory: "denim",
        cents: 9_900,
        sizes: CLOTHES,
        description: "Mid weight denim, straight from hip to hem.",
        path: "M40 18 L80 18 L86 104 L66 104 L60 48 L54 104 L34 104Z",
    },
    Kind {
        name: "Linen Dress",
        department: "clothing",
        category: "dresses",
        subcategory: "day",
        cents: 12_450,
        sizes: CLOTHES,
        description: "Loose, cool, and with pockets where they should be.",
        path: "M46 18 L74 18 L70 46 L92 102 L28 102 L50 46Z",
    },
    Kind {
        name: "Trail Boots",
        department: "shoes",
        category: "boots",
        subcategory: "walking",
        cents: 17_900,
        sizes: SHOES,
        description: "Stitched soles that can be replaced, laces that stay tied.",
        path: "M40 20 L66 20 L66 62 Q100 66 100 88 L100 98 L34 98 L36 60Z",
    },
    Kind {
        name: "Court Sneakers",
        department: "shoes",
        category: "sneakers",
        subcategory: "leather",
        cents: 11_900,
        sizes: SHOES,
        description: "Plain leather sneakers on a gum sole.",
        path: "M26 52 L52 50 L70 68 Q98 70 100 86 L100 94 L24 94Z",
    },
    Kind {
        name: "Merino Socks",
        department: "clothing",
        category: "socks",
        subcategory: "everyday",
        cents: 1_800,
        sizes: SHOES,
        description: "Two pairs, warm in winter and cool in summer.",
        path: "M46 18 L70 18 L70 64 L90 84 Q92 100 78 100 Q66 100 44 74Z",
    },
    Kind {
        name: "Canvas Tote",
        department: "accessories",
        category: "bags",
        subcategory: "totes",
        cents: 3_450,
        sizes: ONE,
        description: "Heavy canvas that stands on its own and carries the week's shopping.",
        path: "M28 46 L92 46 L86 102 L34 102Z M44 46 Q44 22 60 22 Q76 22 76 46 L70 46 Q70 29 60 29 Q50 29 50 46Z",
    },
    Kind {
        name: "Day Pack",
        department: "accessories",
        category: "bags",
        subcategory: "backpacks",
        cents: 13_900,
        sizes: ONE,
        description: "Eighteen liters, a sleeve for a laptop, and straps that don't slip.",
        path: "M36 40 Q36 18 60 18 Q84 18 84 40 L88 100 L32 100Z M44 66 L76 66 L76 88 L44 88Z",
    },
    Kind {
        name: "Enamel Mug",
        department: "home",
        category: "kitchen",
        subcategory: "cups",
        cents: 1_450,
        sizes: ONE,
        description: "Takes a fall, a fire and a very large coffee.",
        path: "M30 34 L80 34 L76 94 L34 94Z M80 44 Q102 46 98 64 Q94 80 78 80 L78 72 Q88 70 89 62 Q90 53 79 52Z",
    },
    Kind {
        name: "Wool Throw",
        department: "home",
        category: "textiles",
        subcategory: "blankets",
        cents: 9_250,
        sizes: ONE,
        description: "Woven from what is left over from the knits.",
        path: "M24 30 L96 24 L96 84 L24 90Z M24 94 L30 104 L36 93 L42 103 L48 92 L54 102 L60 91 L66 101 L72 90 L78 100 L84 89 L90 99 L96 88Z",
    },
];

/// Returns every product: each kind of each brand.
pub(crate) fn products() -> Vec<Product> {
    let pairs = BRANDS
        .iter()
        .flat_map(|brand| KINDS.iter().map(move |kind| (brand, kind)));
    pairs
        .enumerate()
        .map(|(number, (brand, kind))| {
            let color = COLORS[number * 5 % COLORS.len()];
            Product {
                name: format!("{color} {}", kind.name),
                kind,
                brand,
                color,
                // Prices differ by steps of 5 percent.
                cents: kind.cents * (90 + 5 * (number as u64 % 5)) / 100,
                number,
            }
        })
        .collect()
}

impl Product {
    pub(crate) fn product_id(&self) -> String {
        format!("P{:04}", 1_000 + self.number)
    }

    pub(crate) fn sku(&self) -> String {
        let letters = |text: &str| {
            text.chars()
                .filter(char::is_ascii_uppercase)
                .collect::<String>()
        };
        format!(
            "{}-{}-{:03}",
            letters(self.brand.name),
            letters(&self.name),
            self.number
        )
    }

    pub(crate) fn slug(&self) -> String {
        let text = format!("{} {}", self.brand.name, self.name).to_lowercase();
        let words = text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    }

    /// Returns the URL at which the local stack serves the product's image.
    pub(crate) fn image_url(&self) -> String {
        format!("http://localhost:3000/images/{}.svg", self.slug())
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "https://shop.example.com/{}/{}",
            self.kind.category,
            self.slug()
        )
    }

    pub(crate) fn row(&self) -> Value {
        let kind = self.kind;
        json!({
            "product_id": self.product_id(),
            "sku": self.sku(),
            "upc": format!("{:012}", 36_000_200_000_u64 + self.number as u64 * 7),
            "product_reference_type": "product_id",
            "name": self.name,
            "description": kind.description,
            "brand": self.brand.name,
            "size": kind.sizes[self.number % kind.sizes.len()],
            "color": self.color,
            "price": money(self.cents as i64),
            "options": {
                "department": [kind.department],
                "category": [kind.category],
                "subcategory": [kind.subcategory],
                "sizes": kind.sizes,
            },
            "url": self.url(),
            "images": [self.image_url()],
            "availability": {"available": self.number % 9 != 4},
            "inventory": {"quantity": (self.number * 37) % 120, "tracked": true},
        })
    }
}

/// Returns an amount as a decimal string, such as `12.50`. A JSON number would pass through a float here.
pub(crate) fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}
