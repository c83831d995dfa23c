//! `$name` and `${…}` in strings: parameters of blocks and networks, with arithmetic.
//!
//! A string that is one expression and nothing else has the expression's value, of any type; within
//! a longer string the value is put in as text. `${2 * filters}`, `${blocks[0] - 1}`,
//! `${divisible(32 * width, 8)}`, `layer1.${index + 1}`. A name may contain hyphens, so a minus has
//! spaces around it.

use std::collections::BTreeMap;

use crate::document::suggest;
use crate::document::{Content, KeyPath, Node};

/// The parameters in force: their values and where these stand.
pub(super) type Parameters = BTreeMap<String, (Node, KeyPath)>;

/// What is wrong with an expression, in words.
#[derive(Debug, PartialEq)]
pub(super) struct Mistake {
    /// One sentence.
    pub message: String,
    /// The way out.
    pub help: String,
}

/// What a string stands for.
#[derive(Debug)]
pub(super) enum Filled {
    /// It holds no expression.
    Plain,
    /// It is a parameter's name: the parameter's own value, and where it stands.
    Parameter(Node, KeyPath),
    /// It was computed.
    Value(Content),
}

/// What `text` stands for with `parameters`.
pub(super) fn fill(text: &str, parameters: &Parameters) -> Result<Filled, Mistake> {
    if !text.contains('$') {
        return Ok(Filled::Plain);
    }
    let pieces = pieces(text)?;
    if let [Piece::Expression(expression)] = pieces[..] {
        if let Some((node, at)) = parameters.get(expression.trim()) {
            return Ok(Filled::Parameter(node.clone(), at.clone()));
        }
        return evaluate(expression, parameters).map(Filled::Value);
    }
    let mut whole = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => whole.push_str(text),
            Piece::Expression(expression) => match evaluate(expression, parameters)? {
                Content::String(text) => whole.push_str(&text),
                Content::Integer(number) => whole.push_str(&number.to_string()),
                Content::Float(number) => whole.push_str(&number.to_string()),
                other => {
                    return Err(mistake(
                        format!("{} cannot be part of a string", other.describe()),
                        "only numbers and strings can be put into a string",
                    ));
                }
            },
        }
    }
    Ok(Filled::Value(Content::String(whole)))
}

fn mistake(message: impl Into<String>, help: impl Into<String>) -> Mistake {
    Mistake { message: message.into(), help: help.into() }
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Expression(&'a str),
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Mistake> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        if start > 0 {
            pieces.push(Piece::Text(&rest[..start]));
        }
        let behind = &rest[start + 1..];
        let (expression, after) = match behind.strip_prefix('{') {
            Some(inside) => inside.split_once('}').ok_or_else(|| {
                mistake(format!("\"{text}\" has no }} for its ${{"), "write ${2 * width}")
            })?,
            None => {
                let end = behind.find(|c| !is_name(c)).unwrap_or(behind.len());
                behind.split_at(end)
            }
        };
        if expression.trim().is_empty() {
            return Err(mistake(
                format!("nothing follows the $ of \"{text}\""),
                "write $width or ${2 * width}",
            ));
        }
        pieces.push(Piece::Expression(expression));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

fn evaluate(expression: &str, parameters: &Parameters) -> Result<Content, Mistake> {
    let mut reader = Reader { whole: expression, rest: expression, parameters, depth: 0 };
    let value = reader.sum()?;
    match reader.peek() {
        None => Ok(value),
        Some(c) => Err(reader.unexpected(c)),
    }
}

/// Parentheses inside parentheses, at most.
const DEEPEST: usize = 32;

struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
    parameters: &'a Parameters,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.rest = &self.rest[c.len_utf8()..];
        }
        found
    }

    fn expect(&mut self, c: char) -> Result<(), Mistake> {
        if self.take(c) {
            return Ok(());
        }
        Err(mistake(format!("a {c} is missing in \"{}\"", self.whole.trim()), GRAMMAR))
    }

    fn unexpected(&self, c: char) -> Mistake {
        mistake(format!("unexpected {c} in \"{}\"", self.whole.trim()), GRAMMAR)
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    fn sum(&mut self) -> Result<Content, Mistake> {
        let mut value = self.product()?;
        loop {
            value = if self.take('+') {
                self.apply('+', value, Self::product)?
            } else if self.take('-') {
                self.apply('-', value, Self::product)?
            } else {
                return Ok(value);
            };
        }
    }

    fn product(&mut self) -> Result<Content, Mistake> {
        let mut value = self.factor()?;
        loop {
            value = if self.take('*') {
                self.apply('*', value, Self::factor)?
            } else if self.take('/') {
                self.apply('/', value, Self::factor)?
            } else {
                return Ok(value);
            };
        }
    }

    fn apply(
        &mut self,
        sign: char,
        left: Content,
        right: impl Fn(&mut Self) -> Result<Content, Mistake>,
    ) -> Result<Content, Mistake> {
        let right = right(self)?;
        arithmetic(sign, &left, &right)
            .map_err(|message| mistake(format!("{message} in \"{}\"", self.whole.trim()), GRAMMAR))
    }

    fn factor(&mut self) -> Result<Content, Mistake> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(mistake("an expression with too many levels", GRAMMAR));
        }
        let value = self.factor_within();
        self.depth -= 1;
        value
    }

    fn factor_within(&mut self) -> Result<Content, Mistake> {
        match self.peek() {
            Some('(') => {
                self.take('(');
                let value = self.sum()?;
                self.expect(')')?;
                Ok(value)
            }
            Some('-') => {
                self.take('-');
                self.apply('-', Content::Integer(0), Self::factor)
            }
            Some(c) if c.is_ascii_digit() => {
                let number = self.run(|c| c.is_ascii_digit() || c == '.');
                let read = match number.parse::<i64>() {
                    Ok(whole) => Some(Content::Integer(whole)),
                    Err(_) => number.parse::<f64>().ok().map(Content::Float),
                };
                read.ok_or_else(|| mistake(format!("\"{number}\" is not a number"), GRAMMAR))
            }
            Some(c) if c.is_ascii_alphabetic() => {
                let name = self.run(is_name);
                if self.take('(') { self.call(name) } else { self.parameter(name) }
            }
            Some(c) => Err(self.unexpected(c)),
            None => Err(mistake(format!("\"{}\" ends too early", self.whole.trim()), GRAMMAR)),
        }
    }

    fn parameter(&mut self, name: &str) -> Result<Content, Mistake> {
        let Some((node, _)) = self.parameters.get(name) else {
            let names: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
            let joined = names
                .iter()
                .find(|known| name.strip_prefix(**known).is_some_and(|rest| rest.starts_with('-')));
            let help = match (joined, suggest::nearest(name, &names), names.is_empty()) {
                (Some(known), _, _) => {
                    format!(
                        "a name may contain hyphens: write ${{{known}}}{}",
                        &name[known.len()..]
                    )
                }
                (None, Some(near), _) => format!("did you mean ${near}?"),
                (None, None, true) => {
                    "there are no parameters here: [model.parameters] holds those of a \
                                 network, `parameters` of [model.blocks.NAME] those of a block"
                        .to_owned()
                }
                (None, None, false) => format!("the parameters here are {}", names.join(", ")),
            };
            return Err(mistake(format!("there is no parameter \"{name}\""), help));
        };
        let mut value = node.content.clone();
        while self.take('[') {
            let index = self.sum()?;
            self.expect(']')?;
            value = element(name, &value, &index)?;
        }
        Ok(value)
    }

    fn call(&mut self, name: &str) -> Result<Content, Mistake> {
        let mut arguments = vec![self.sum()?];
        while self.take(',') {
            arguments.push(self.sum()?);
        }
        self.expect(')')?;
        match (name, &arguments[..]) {
            ("divisible", [value, by]) => match (number(value), by) {
                (Some(value), Content::Integer(by)) if *by > 0 && value.abs() < 1e15 => {
                    Ok(Content::Integer(divisible(value, *by)))
                }
                _ => Err(mistake(
                    "divisible takes a number and a positive whole number",
                    "divisible(32 * width, 8) is the nearest multiple of 8",
                )),
            },
            ("round" | "floor" | "ceil", [value]) => match number(value) {
                Some(value) if value.abs() < 1e15 => Ok(Content::Integer(match name {
                    "round" => value.round(),
                    "floor" => value.floor(),
                    _ => value.ceil(),
                } as i64)),
                _ => Err(mistake(format!("{name} takes a number"), format!("{name}(1.5 * width)"))),
            },
            ("min" | "max", [first, second]) => match (number(first), number(second)) {
                (Some(left), Some(right)) => {
                    let is_first = if name == "min" { left <= right } else { left >= right };
                    Ok(if is_first { first.clone() } else { second.clone() })
                }
                _ => Err(mistake(format!("{name} takes two numbers"), format!("{name}(8, width)"))),
            },
            _ => Err(mistake(
                format!("there is no function {name} of {} numbers", arguments.len()),
                FUNCTIONS,
            )),
        }
    }
}

/// What an expression may look like.
const GRAMMAR: &str = "an expression may have numbers, parameters, + - * /, parentheses, list[index] and \
                       functions such as round(x) and divisible(x, by); a minus needs spaces around it";

/// What can be called.
const FUNCTIONS: &str =
    "the functions are round(x), floor(x), ceil(x), min(x, y), max(x, y) and divisible(x, by)";

fn element(name: &str, list: &Content, index: &Content) -> Result<Content, Mistake> {
    let (Content::Array(items), Content::Integer(index)) = (list, index) else {
        return Err(mistake(
            format!("{name} is {}, its elements cannot be counted", list.describe()),
            "list[0] is the first element of a list",
        ));
    };
    let item = usize::try_from(*index).ok().and_then(|index| items.get(index));
    item.map(|item| item.content.clone()).ok_or_else(|| {
        mistake(
            format!("{name} has {} elements, none with the number {index}", items.len()),
            "elements are counted from 0",
        )
    })
}

fn number(value: &Content) -> Option<f64> {
    match value {
        Content::Integer(number) => Some(*number as f64),
        Content::Float(number) => Some(*number),
        _ => None,
    }
}

fn arithmetic(sign: char, left: &Content, right: &Content) -> Result<Content, String> {
    if let (Content::Integer(left), Content::Integer(right)) = (left, right) {
        let whole = match sign {
            '+' => left.checked_add(*right),
            '-' => left.checked_sub(*right),
            '*' => left.checked_mul(*right),
            // A quotient that is no whole number is taken as one with a fraction.
            _ if *right != 0 && left % right == 0 => left.checked_div(*right),
            _ => None,
        };
        if let Some(whole) = whole {
            return Ok(Content::Integer(whole));
        }
        if sign != '/' {
            return Err(format!("{left} {sign} {right} does not fit into 64 bits"));
        }
    }
    let (Some(left), Some(right)) = (number(left), number(right)) else {
        let culprit = if number(left).is_none() { left } else { right };
        return Err(format!("{} is no number", culprit.describe()));
    };
    let value = match sign {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        _ => left / right,
    };
    if value.is_finite() { Ok(Content::Float(value)) } else { Err("a division by 0".to_owned()) }
}

/// The nearest multiple of `by`, at least `by`, and not more than a tenth below `value`: how
/// MobileNets round their widths (Howard et al., 2017; torchvision's `_make_divisible`).
fn divisible(value: f64, by: i64) -> i64 {
    let step = by as f64;
    let nearest = step.max(((value + step / 2.0) / step).floor() * step);
    (if nearest < 0.9 * value { nearest + step } else { nearest }) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Place;

    fn parameters() -> Parameters {
        let node = |content| Node { content, place: Place::Set("".into()) };
        let blocks = [3, 4, 6].map(|count| node(Content::Integer(count))).to_vec();
        [
            ("width", Content::Integer(64)),
            ("ratio", Content::Float(0.5)),
            ("stem-width", Content::Integer(7)),
            ("kind", Content::String("relu".to_owned())),
            ("blocks", Content::Array(blocks)),
        ]
        .map(|(name, content)| (name.to_owned(), (node(content), KeyPath::root())))
        .into()
    }

    fn value(text: &str) -> Result<Content, String> {
        match fill(text, &parameters()) {
            Ok(Filled::Plain) => Ok(Content::String(text.to_owned())),
            Ok(Filled::Parameter(node, _)) => Ok(node.content),
            Ok(Filled::Value(content)) => Ok(content),
            Err(mistake) => Err(mistake.message),
        }
    }

    #[test]
    fn an_expression_alone_has_a_type_and_inside_a_string_it_is_text() {
        let whole = |number| Ok(Content::Integer(number));
        assert_eq!(value("$width"), whole(64));
        assert_eq!(value("${4 * width - 6}"), whole(250));
        assert_eq!(value("${width / 2 + stem-width}"), whole(39));
        assert_eq!(value("${blocks[0] - 1}"), whole(2));
        assert_eq!(value("${-(1 + 2) * 2}"), whole(-6));
        assert_eq!(value("${width * ratio}"), Ok(Content::Float(32.0)));
        assert_eq!(value("${1 / 4}"), Ok(Content::Float(0.25)));
        assert_eq!(value("${round(width * 0.7)}"), whole(45));
        assert_eq!(value("${floor(width * 0.7)}"), whole(44));
        assert_eq!(value("${ceil(width * 0.7)}"), whole(45));
        assert_eq!(value("${max(1, width / 2)}"), whole(32));
        assert_eq!(value("${min(1, width / 2)}"), whole(1));
        assert_eq!(value("$kind"), Ok(Content::String("relu".to_owned())));
        let text = |text: &str| Ok(Content::String(text.to_owned()));
        assert_eq!(value("layer1.${blocks[1]}.conv$width"), text("layer1.4.conv64"));
        assert_eq!(value("same"), text("same"));
    }

    #[test]
    fn widths_round_as_mobilenets_do() {
        for (width, expected) in [(32.0 * 0.75, 24), (11.2, 16), (1.0, 8), (44.8, 48), (92.0, 96)] {
            assert_eq!(divisible(width, 8), expected, "{width}");
        }
    }

    #[test]
    fn what_has_no_value_is_a_mistake_and_never_a_panic() {
        for wrong in [
            "$",
            "${}",
            "${width",
            "$depth",
            "${width +}",
            "${(width}",
            "${blocks[3]}",
            "${blocks[-1]}",
            "${width[0]}",
            "${kind * 2}",
            "${1 / 0}",
            "${width ^ 2}",
            "${9223372036854775807 + 1}",
            "${log(2)}",
            "${round(kind)}",
            "${max(1)}",
            "${min(kind, 1)}",
            "${1.2.3}",
            "x$blocks",
            "${divisible(8, 0)}",
            "${äöü}",
        ] {
            assert!(value(wrong).is_err(), "{wrong} has a value: {:?}", value(wrong));
        }
        let deep = format!("${{{}1{}}}", "(".repeat(1000), ")".repeat(1000));
        assert!(value(&deep).is_err());
    }
}
