//! The normal forms of names and order numbers. Two spellings match if their normal forms are equal.

use icu_normalizer::{
    DecomposingNormalizerBorrowed, properties::CanonicalCombiningClassMapBorrowed,
};

use super::{MAX_NAME_BYTES, identifier};
use crate::model::identifier::{IdentifierRules, Notation};

/// Letters that Unicode does not decompose into a letter and an accent.
const LETTERS: [(char, &str); 9] = [
    ('æ', "ae"),
    ('ð', "d"),
    ('ø', "o"),
    ('þ', "th"),
    ('đ', "d"),
    ('ħ', "h"),
    ('ł', "l"),
    ('œ', "oe"),
    ('ŧ', "t"),
];

/// Words that systems write if they know no name. A name is a placeholder if it has one of them and otherwise only
/// these and [`FILLERS`].
const PLACEHOLDERS: [&str; 18] = [
    "anon",
    "anonymous",
    "customer",
    "customers",
    "default",
    "dummy",
    "guest",
    "nil",
    "noname",
    "none",
    "null",
    "object",
    "test",
    "undefined",
    "unknown",
    "user",
    "visitor",
    "walkin",
];

/// Words that occur beside [`PLACEHOLDERS`], but in people's names too.
const FILLERS: [&str; 19] = [
    "a", "account", "cash", "client", "false", "first", "in", "last", "n", "na", "name", "nan",
    "no", "online", "pos", "sale", "store", "true", "walk",
];

/// Placeholders that consist of fillers only, such as `n/a`, `No name` and `Walk-in`, in their normal form.
const PLACEHOLDER_NAMES: [&str; 13] = [
    "a n",
    "account",
    "cash",
    "cash sale",
    "client",
    "false",
    "first last",
    "in walk",
    "na",
    "name no",
    "nan",
    "pos",
    "true",
];

/// Placeholders that are people's names too, such as Johnny Cash, Christopher Guest and Nil Puig.
const PEOPLES_NAMES: [&str; 8] = ["anon", "cash", "guest", "na", "nan", "nil", "pos", "true"];

/// Whether a first or last name names a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamePart {
    /// A name.
    Name,
    /// A word that systems write if they know no name, but a name beside this other part.
    Ambiguous,
    /// A placeholder, or a text without letters and digits.
    Placeholder,
}

impl NamePart {
    /// Returns whether the first and the last name of one record name a person.
    pub fn of(first: &str, last: &str) -> [Self; 2] {
        if is_no_name(&format!("{first} {last}")) {
            return [Self::Placeholder; 2];
        }
        let kinds = [first, last].map(Self::alone);
        match kinds {
            [Self::Ambiguous, Self::Placeholder] | [Self::Placeholder, Self::Ambiguous] => {
                [Self::Placeholder; 2]
            }
            kinds => kinds,
        }
    }

    fn alone(part: &str) -> Self {
        let is_peoples_name = || PEOPLES_NAMES.contains(&part.trim().to_lowercase().as_str());
        match is_no_name(part) {
            false => Self::Name,
            true if is_peoples_name() => Self::Ambiguous,
            true => Self::Placeholder,
        }
    }
}

/// Returns the words of a whole name, sorted and separated by spaces, without case, accents and punctuation. `None` if
/// there is no word or the name is too long. Also `None` for a placeholder, which thousands of records may contain.
pub(super) fn name_form(name: &str) -> Option<String> {
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    let words = Words::of(name);
    let words = words.sorted();
    (!words.is_empty() && !is_placeholder(&words)).then(|| words.join(" "))
}

/// Returns whether a text is a placeholder or contains no word. A text that is too long to be searched can be a name.
fn is_no_name(name: &str) -> bool {
    if name.len() > MAX_NAME_BYTES {
        return false;
    }
    let words = Words::of(name);
    let words = words.sorted();
    words.is_empty() || is_placeholder(&words)
}

/// Returns whether a name consists of placeholder words. `sorted` are its words, sorted.
fn is_placeholder(sorted: &[&str]) -> bool {
    let is_placeholder_word = |word: &&str| PLACEHOLDERS.contains(word);
    if !sorted
        .iter()
        .all(|word| is_placeholder_word(word) || FILLERS.contains(word))
    {
        return false;
    }
    let mut distinct = sorted.to_vec();
    distinct.dedup();
    distinct.iter().any(is_placeholder_word)
        || PLACEHOLDER_NAMES.contains(&distinct.join(" ").as_str())
}

/// Returns an order's number or id without case, whitespace and leading `#`. `None` if the value is not valid as an
/// identifier.
pub(super) fn order_form(order: &str) -> Option<String> {
    let is_ignored =
        |c: char| c.is_whitespace() || is_invisible(c) || matches!(c, '#' | '＃' | '№');
    let order = order.trim_start_matches(is_ignored);
    let order = identifier(
        "customer_id",
        order,
        Notation::Json,
        IdentifierRules::default(),
    )?;
    let mut form = String::with_capacity(order.value().len());
    fold(order.value(), |c| {
        if !c.is_whitespace() {
            form.push(c);
        }
    });
    (!form.is_empty()).then_some(form)
}

/// Returns a text without case, accents and invisible characters, decomposed (NFKD).
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold(text, |c| folded.push(c));
    folded
}

/// The words of a text, separated by spaces.
#[derive(Default)]
struct Words {
    text: String,
    /// Whether the next letter belongs to another word.
    has_ended: bool,
}

impl Words {
    /// Splits a name into its words, without case, accents and punctuation.
    fn of(name: &str) -> Self {
        let mut words = Self::default();
        fold(name, |letter| words.push(letter));
        words
    }

    fn sorted(&self) -> Vec<&str> {
        let mut words: Vec<_> = self.text.split_ascii_whitespace().collect();
        words.sort_unstable();
        words
    }

    /// Adds a character. Punctuation within a word is left out; any other character that is not a letter ends the word.
    fn push(&mut self, c: char) {
        match c {
            // `O'Neill` is `ONeill`, `J.P.` is `JP`.
            '\'' | '.' | '`' | '‘' | '’' | '‛' | 'ʻ' | 'ʼ' | 'ʹ' | '′' => {}
            c if c.is_alphanumeric() || is_voicing(c) => {
                let is_word = is_word(c);
                if (self.has_ended && !is_continued(c)) || is_word {
                    self.text.push(' ');
                }
                self.text.push(c);
                self.has_ended = is_word || self.has_ended && is_continued(c);
            }
            _ => {
                self.text.push(' ');
                self.has_ended = false;
            }
        }
    }
}

/// Returns whether a character begins a word of its own. In scripts without spaces, family name and given name cannot
/// be separated. Hangul is decomposed into its letters, and a syllable begins with one of these.
const fn is_word(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{115f}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Returns whether a character belongs to the one before it: the rest of a Hangul syllable, and the marks of kana.
const fn is_continued(c: char) -> bool {
    is_voicing(c) || matches!(c, '\u{1160}'..='\u{11ff}' | 'ー')
}

/// Returns whether a character is a combining voicing mark of kana, which distinguishes syllables.
const fn is_voicing(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309a}')
}

/// Decomposes a text (NFKD) and passes on its characters without case, accents and invisible characters.
fn fold(text: &str, mut push: impl FnMut(char)) {
    if text.is_ascii() {
        text.chars().for_each(|c| push(c.to_ascii_lowercase()));
        return;
    }
    const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
    // A separate acute accent, typed as an apostrophe, would decompose into a space and an accent. U+1FFD is canonically the same.
    let chars = text.chars().map(|c| match c {
        '\u{b4}' | '\u{1ffd}' => '\'',
        other => other,
    });
    for c in NFKD.normalize_iter(chars) {
        if is_accent(c) || is_invisible(c) {
            continue;
        }
        // Conversion through uppercase makes `ß` into `ss`, a dotless `ı` into `i`, and both forms of sigma equal.
        let folded = c.to_lowercase().flat_map(char::to_uppercase);
        for c in folded.flat_map(char::to_lowercase) {
            match LETTERS.iter().find(|(letter, _)| *letter == c) {
                Some((_, plain)) => plain.chars().for_each(&mut push),
                None => push(c),
            }
        }
    }
}

/// Returns whether a character is a mark that may be left out of a name, by its combining class. These are accents of
/// Latin, Greek and Cyrillic, tones, and the points of Hebrew and Arabic. Vowel signs and the voicing of kana are kept.
fn is_accent(c: char) -> bool {
    const CLASSES: CanonicalCombiningClassMapBorrowed<'static> =
        CanonicalCombiningClassMapBorrowed::new();
    match CLASSES.get_u8(c) {
        0 => false,
        1 | 10..=36 | 200..=234 => true,
        _ => !c.is_alphanumeric() && !is_voicing(c),
    }
}

/// Returns whether a character is a format character or a variation selector.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0001}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_equal(names: &[&str]) {
        let forms: Vec<_> = names.iter().map(|name| name_form(name)).collect();
        assert!(forms[0].is_some(), "{names:?}");
        assert!(
            forms.iter().all(|form| *form == forms[0]),
            "{names:?}: {forms:?}"
        );
    }

    #[test]
    fn ignores_case_accents_punctuation_and_order() {
        all_equal(&[
            "Zoë O'Neill",
            "ZOË O’NEILL",
            "oneill, zoe",
            "Zoe\u{308} O´Neill",
            "\u{feff}O`Neill  Zoë.",
        ]);
        all_equal(&[
            "Anne-Marie Lefèvre",
            "Lefevre Anne Marie",
            "ANNE–MARIE LEFÈVRE",
        ]);
        all_equal(&["J.P. Straße", "JP STRASSE", "jp STRAẞE"]);
        all_equal(&["İpek Işık", "IPEK ISIK", "ipek ışık"]);
        all_equal(&["Søren Æbelø", "soren aebelo"]);
        all_equal(&["Łukasz Đorđević", "lukasz dordevic"]);
        all_equal(&["Γιώργος Παπαδόπουλος", "ΠΑΠΑΔΟΠΟΥΛΟΣ ΓΙΩΡΓΟΣ"]);
        all_equal(&["Ёлкин Артём", "АРТЕМ ЕЛКИН"]);
        all_equal(&["Ｊａｎｅ Doe", "jane doe"]);
        all_equal(&["ﬁona", "Fiona"]);
        all_equal(&["Nguyễn Thị Hương", "nguyen thi huong"]);
        all_equal(&["שָׁלוֹם כהן", "כהן שלום"]);
        all_equal(&["مُحَمَّد علي", "محمد علي"]);
    }

    #[test]
    fn scripts_without_spaces_match_in_either_order() {
        all_equal(&["山田 太郎", "太郎山田", "山田太郎"]);
        all_equal(&["김철수", "철수 김", "김철수"]);
        all_equal(&["ﾔﾏﾀﾞ タロー", "タローヤマダ"]);
        assert_ne!(name_form("カトウ"), name_form("ガトウ"));
        assert_ne!(name_form("राम"), name_form("रीमा"));
        assert_ne!(name_form("김"), name_form("강"));
        assert_eq!(name_form("李Jane"), name_form("Jane 李"));
    }

    #[test]
    fn different_names_differ() {
        for (a, b) in [
            ("Jane Doe", "Jane"),
            ("Jane Doe", "Janet Doe"),
            ("Jane Jane", "Jane"),
            ("Ann Lee", "Annlee"),
        ] {
            assert_ne!(name_form(a), name_form(b), "{a}, {b}");
        }
    }

    #[test]
    fn placeholders_have_no_form() {
        for name in [
            "",
            " ",
            "-",
            "?",
            "...",
            "Guest",
            "GUEST guest",
            "unknown",
            "Unknown Unknown",
            "n/a",
            "N.A.",
            "#N/A",
            "null",
            "Test",
            "test user",
            "Walk-in Customer",
            "walk in",
            "No Name",
            "Cash Sale",
            "Guest Customer",
            "none none",
            "First Last",
            "[object Object]",
            "customer",
            "POS Customer",
        ] {
            assert_eq!(name_form(name), None, "{name}");
        }
        for name in [
            "Jennifer Null",
            "Christopher Guest",
            "Na Kim",
            "Nan Na",
            "Tess",
            "In-ho No",
            "Store Manager Jo",
        ] {
            assert_ne!(name_form(name), None, "{name}");
        }
        assert_eq!(name_form(&"x".repeat(MAX_NAME_BYTES + 1)), None);
    }

    #[test]
    fn parts_of_a_name_can_be_placeholders() {
        use NamePart::{Ambiguous, Name, Placeholder};
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        for (first, last, expected) in [
            ("Tess", "Aldous", [Name, Name]),
            (long.as_str(), long.as_str(), [Name, Name]),
            ("", "Aldous", [Placeholder, Name]),
            ("Tess", "-", [Name, Placeholder]),
            ("Tess", "n/a", [Name, Placeholder]),
            ("Tess", "N.A.", [Name, Placeholder]),
            ("unknown", "Aldous", [Placeholder, Name]),
            ("Tess", "Guest Customer", [Name, Placeholder]),
            ("NULL", "NULL", [Placeholder; 2]),
            ("N/A", "N/A", [Placeholder; 2]),
            ("Guest", "Guest", [Placeholder; 2]),
            ("Guest", "", [Placeholder; 2]),
            ("Guest", "-", [Placeholder; 2]),
            // Neither part is a placeholder by itself.
            ("First", "Last", [Placeholder; 2]),
            ("Walk", "In", [Placeholder; 2]),
            ("", "", [Placeholder; 2]),
            ("Johnny", "Cash", [Name, Ambiguous]),
            ("Christopher", " Guest", [Name, Ambiguous]),
            ("Na", "Kim", [Ambiguous, Name]),
            ("Nil", "Puig", [Ambiguous, Name]),
            ("Nan", "Na", [Ambiguous; 2]),
            ("山田", "太郎", [Name, Name]),
        ] {
            assert_eq!(NamePart::of(first, last), expected, "{first}, {last}");
        }
    }

    #[test]
    fn orders_match_with_and_without_number_sign() {
        for order in [
            "1042",
            "#1042",
            " # 1042 ",
            "＃１０４２",
            "\u{feff}#1042",
            "№1042",
            "##1042",
        ] {
            assert_eq!(order_form(order).as_deref(), Some("1042"), "{order}");
        }
        assert_eq!(order_form("SO-1042"), order_form("so- 1042"));
        assert_ne!(order_form("SO-1042"), order_form("1042"));
        assert_ne!(order_form("10-42"), order_form("1042"));
        for order in ["", "#", " ", "a\tb", &"x".repeat(257)] {
            assert_eq!(order_form(order), None, "{order}");
        }
    }

    /// A form is a name too, and has the same form.
    #[test]
    fn forms_of_all_characters_are_stable() {
        for c in ('\0'..='\u{3ffff}').filter(|c| c.is_alphanumeric()) {
            let name = format!("{c}b");
            let Some(form) = name_form(&name) else {
                continue;
            };
            assert_eq!(name_form(&form), Some(form.clone()), "{name:?}");
            let upper: String = name.to_uppercase();
            assert_eq!(name_form(&upper), Some(form), "{name:?} {upper:?}");
        }
    }

    proptest! {
        #[test]
        fn words_may_be_in_any_order(words in prop::collection::vec("\\w{1,8}", 1..6), seed: u64) {
            let mut turned = words.clone();
            turned.rotate_left(seed as usize % words.len());
            prop_assert_eq!(name_form(&words.join(" ")), name_form(&turned.join(", ")));
        }

        #[test]
        fn composed_and_decomposed_names_match(name in "\\PC{0,20}") {
            let nfd: String = DecomposingNormalizerBorrowed::new_nfd().normalize(&name).into_owned();
            prop_assert_eq!(name_form(&nfd), name_form(&name));
        }

        #[test]
        fn uppercase_and_lowercase_names_match(name in "[\\p{Latin}\\p{Greek}\\p{Cyrillic} ]{0,20}") {
            let form = name_form(&name);
            prop_assert_eq!(name_form(&name.to_lowercase()), form.clone());
            prop_assert_eq!(name_form(&name.to_uppercase()), form);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (name_form(&text), order_form(&text));
        }
    }
}
