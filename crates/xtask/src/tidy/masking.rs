//! Code told apart from comments and from the insides of literals.
//!
//! So that a rule about code is not broken by a comment that explains it. Both
//! parts keep every line and column of the file; what belongs to neither is
//! blank.
//!
//! Not here: understanding Rust; this knows only where a token ends.

/// A file's text in two layers.
pub(crate) struct Masked {
    pub(crate) code: String,
    pub(crate) comments: String,
}

/// What the next character belongs to.
#[derive(Clone, Copy)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// Splits `text` into its layers.
pub(crate) fn mask(text: &str) -> Masked {
    let chars: Vec<char> = text.chars().collect();
    let mut masked = Masked { code: String::new(), comments: String::new() };
    let mut at = 0;
    while at < chars.len() {
        let (part, end) = token(&chars, at);
        for &c in &chars[at..end] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            masked.code.push(if matches!(part, Part::Code) { c } else { blank });
            masked.comments.push(if matches!(part, Part::Comment) { c } else { blank });
        }
        at = end;
    }
    masked
}

/// The token at `at` and where it ends, always further on.
fn token(chars: &[char], at: usize) -> (Part, usize) {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => (Part::Comment, line_end(chars, at)),
        '/' if next == Some('*') => (Part::Comment, block_end(chars, at)),
        '"' => (Part::Literal, string_end(chars, at + 1)),
        '\'' => character_end(chars, at).map_or((Part::Code, at + 1), |end| (Part::Literal, end)),
        c if is_word(c) => {
            if let Some(end) = raw_string_end(chars, at) {
                return (Part::Literal, end);
            }
            let length = chars[at..].iter().take_while(|c| is_word(**c)).count();
            (Part::Code, at + length)
        }
        _ => (Part::Code, at + 1),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_end(chars: &[char], at: usize) -> usize {
    at + chars[at..].iter().take_while(|c| **c != '\n').count()
}

fn block_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// `at`: after the opening quote.
fn string_end(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// `r"…"`, `br#"…"#` and their like; `None` when no such literal begins here.
fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let prefix = usize::from(matches!(chars[at], 'b' | 'c'));
    if chars.get(at + prefix) != Some(&'r') {
        return None;
    }
    let open = at + prefix + 1;
    let hashes = chars[open..].iter().take_while(|c| **c == '#').count();
    if chars.get(open + hashes) != Some(&'"') {
        return None;
    }
    let closes = |end: usize| {
        chars[end] == '"'
            && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    let end = (open + hashes + 1..chars.len()).find(|end| closes(*end));
    Some(end.map_or(chars.len(), |end| end + 1 + hashes))
}

/// The end of a character literal; `None` for a lifetime.
fn character_end(chars: &[char], at: usize) -> Option<usize> {
    let first = *chars.get(at + 1)?;
    if first == '\\' {
        let length = chars.get(at + 3..)?.iter().position(|c| *c == '\'')?;
        return Some(at + 3 + length + 1);
    }
    (chars.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        mask(text).code
    }

    #[test]
    fn comments_leave_the_code() {
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(mask("a // b\nc").comments, "  // b\n ");
    }

    #[test]
    fn the_insides_of_strings_leave_the_code() {
        assert_eq!(code(r#"f("a // \" b") + c"#), "f(           ) + c");
        assert_eq!(code(r###"r#"x " // y"# + b"z""###), "              + b   ");
        assert_eq!(code("br\"x\\\" z"), "       z");
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        assert_eq!(code("'\"' + '\\'' + '\\u{7f}'"), "    +      +         ");
        assert_eq!(code("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
        assert_eq!(code("'/' // x"), "        ");
    }

    #[test]
    fn a_name_that_ends_in_r_starts_no_raw_string() {
        assert_eq!(code("for r in bar"), "for r in bar");
        assert_eq!(code("r#type + 1"), "r#type + 1");
    }

    #[test]
    fn unfinished_text_ends_with_the_file() {
        for text in ["\"a", "/* a", "r#\"a\"", "'", "'\\", "b", "r", "\"\\"] {
            assert_eq!(code(text).chars().count(), text.chars().count(), "{text}");
        }
    }
}
