//! One Rust file as the rules see it.

use crate::tidy::masking::mask;

/// One Rust file, line by line, in three layers of equal shape.
pub(crate) struct Source {
    path: String,
    raw: Vec<String>,
    code: Vec<String>,
    comments: Vec<String>,
}

impl Source {
    /// `path`: from the root, with `/`.
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let masked = mask(text);
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        Source {
            path: path.to_owned(),
            raw: lines(text),
            code: lines(&masked.code),
            comments: lines(&masked.comments),
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The lines as written.
    pub(crate) fn raw(&self) -> &[String] {
        &self.raw
    }

    /// The lines without comments and the insides of literals.
    pub(crate) fn code(&self) -> &[String] {
        &self.code
    }

    /// The lines with nothing but their comments.
    pub(crate) fn comments(&self) -> &[String] {
        &self.comments
    }

    /// Written by a program, which says so near the top.
    pub(crate) fn is_generated(&self) -> bool {
        self.comments.iter().take(5).any(|line| line.contains("@generated"))
    }

    /// The whole file is tests: `tests/…`, `tests.rs`, `damage_tests.rs`.
    pub(crate) fn is_test_file(&self) -> bool {
        self.path.ends_with("_tests.rs")
            || self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// How many lines stand before the tests: all of them when there are none.
    pub(crate) fn lines_before_tests(&self) -> usize {
        if self.is_test_file() {
            return 0;
        }
        let inline = |index: usize| {
            self.code[index].trim() == "#[cfg(test)]"
                && self.code[index + 1..]
                    .iter()
                    .map(|line| line.trim())
                    .find(|line| !line.is_empty() && !line.starts_with("#["))
                    .is_some_and(|line| line.starts_with("mod ") && line.contains('{'))
        };
        (0..self.code.len()).find(|index| inline(*index)).unwrap_or(self.code.len())
    }
}

/// Where `word` stands in `line` as a whole word, in bytes.
pub(crate) fn words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = line[..*at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_begin_at_their_inline_module() {
        let text =
            "a\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod other;\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(Source::new("src/a.rs", text).lines_before_tests(), 5);
        assert_eq!(Source::new("src/a.rs", "a\nb\n").lines_before_tests(), 2);
        assert_eq!(Source::new("crates/a/tests/b.rs", "a\nb\n").lines_before_tests(), 0);
        assert_eq!(Source::new("src/lease/tests.rs", "a\nb\n").lines_before_tests(), 0);
        assert_eq!(Source::new("src/file/damage_tests.rs", "a\nb\n").lines_before_tests(), 0);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("sled sledge my_sled (sled)", "sled").collect::<Vec<_>>(), [0, 21]);
    }
}
