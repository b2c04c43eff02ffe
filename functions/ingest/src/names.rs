//! Defines enums whose values have names in reports, rejects and stored progress.

/// Defines an enum from its variants and their names, with `ALL`, `as_str` and serde by name.
macro_rules! named {
    (
        $(#[$about:meta])*
        $name:ident { $($(#[$what:meta])* $variant:ident = $text:literal,)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
        pub(crate) enum $name {
            $($(#[$what])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// All values, in the order of their definition.
            #[cfg(test)]
            #[allow(dead_code, reason = "only some have a table in the documentation")]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the name.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub(crate) use named;
