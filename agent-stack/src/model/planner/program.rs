//! The Python programs of plans. They work in decimals and integers, so that every machine gets the same digits.

use super::offer::Table;
use super::question::{Question, Statistic};
use serde_json::{Value, json};

/// JSON has names of its own for three values that Python spells otherwise.
const TOTAL: &str = "\
from decimal import Decimal

true, false, null = True, False, None
lines = {{lines}}
if len({line['currency'] for line in lines}) > 1:
    raise SystemExit('the prices are in different currencies')
cents = sum(round(Decimal(str(line['price'])) * 100) * line['quantity'] for line in lines)
total = (cents * (10000 - {{discount}}) + 5000) // 10000
print(f'{total // 100}.{total % 100:02d}')
";

/// Keeps the rows whose labels the request names and writes their statistics as JSON; what cannot be said is a
/// `problem` and no number.
const STATISTICS: &str = "\
import json
from decimal import Decimal, ROUND_HALF_EVEN

true, false, null = True, False, None
rows = {{rows}}
value, unit, labels = {{value}}, {{unit}}, {{labels}}
words, group, wanted = {{words}}, {{group}}, {{statistics}}


def same(word, text):
    return text.lower() in (word, word.rstrip('s'))


def short(number):
    text = format(number.quantize(Decimal('0.001'), rounding=ROUND_HALF_EVEN), 'f')
    return text.rstrip('0').rstrip('.')


def median(numbers):
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def number(row):
    return Decimal(str(row[value]))


def stop(problem):
    print(json.dumps({'problem': problem}))
    raise SystemExit(0)


def label(row, names):
    return ', '.join(str(row[name]) for name in names)


def far(row, numbers):
    center = median(numbers)
    spread = median([abs(number - center) for number in numbers])
    return abs(number(row) - center) * Decimal('0.6745') > spread * Decimal('3.5')


def place(kept, numbers, pick):
    found = next(row for row in kept if number(row) == pick(numbers))
    return {'value': short(number(found)), 'at': label(found, varying)}


def sums(kept):
    numbers = [number(row) for row in kept]
    figures = {
        'count': lambda: len(numbers),
        'mean': lambda: short(sum(numbers) / len(numbers)),
        'median': lambda: short(median(numbers)),
        'minimum': lambda: place(kept, numbers, min),
        'maximum': lambda: place(kept, numbers, max),
        'outliers': lambda: [
            {'value': short(number(row)), 'at': label(row, varying)} for row in kept if far(row, numbers)
        ],
    }
    return {name: figures[name]() for name in ['count', *wanted]}


asked = {name: {word for word in words if any(same(word, str(row[name])) for row in rows)} for name in labels}
unknown = [word for word in words if not any(word in found for found in asked.values())]
if unknown:
    stop('no measured value is labelled ' + ' or '.join(unknown))
kept = [row for row in rows if all(not asked[name] or any(same(word, str(row[name])) for word in asked[name]) for name in labels)]
if not kept:
    stop('there are no such measured values')
units = sorted({str(row[unit]) for row in kept}) if unit else ['']
if len(units) > 1:
    stop('the values have different units: ' + ', '.join(units))
if group and group not in labels:
    stop('the measured values have no ' + group)
varying = [name for name in labels if len({str(row[name]) for row in kept}) > 1 and name != group]
names = list(dict.fromkeys(str(row[group]) for row in kept)) if group else ['']
groups = [{'name': name, **sums([row for row in kept if not group or str(row[group]) == name])} for name in names]
print(json.dumps({'unit': units[0], 'groups': groups}, ensure_ascii=False))
";

/// A program that adds up `lines` of price, quantity and currency, less `discount` hundredths of a percent.
pub(super) fn total(lines: &[Value], discount: u32) -> Value {
    json!({"template": TOTAL, "values": {"lines": lines, "discount": discount}})
}

/// A program that makes the statistics that `question` asks for from the `rows` of `table`.
pub(super) fn statistics(rows: &Value, table: &Table, question: &Question) -> Value {
    let values = json!({
        "rows": rows,
        "value": table.value,
        "unit": table.unit,
        "labels": table.labels,
        "words": question.labels,
        "group": question.group,
        "statistics": names(question),
    });
    json!({"template": STATISTICS, "values": values})
}

/// The statistics that are asked for; without any the usual ones.
fn names(question: &Question) -> Vec<&'static str> {
    let usual = [
        Statistic::Mean,
        Statistic::Median,
        Statistic::Minimum,
        Statistic::Maximum,
    ];
    let asked: Vec<_> = question.statistics.iter().copied().collect();
    let wanted = if asked.is_empty() {
        usual.to_vec()
    } else {
        asked
    };
    wanted
        .into_iter()
        .filter(|statistic| *statistic != Statistic::Count)
        .map(name)
        .collect()
}

const fn name(statistic: Statistic) -> &'static str {
    match statistic {
        Statistic::Count => "count",
        Statistic::Mean => "mean",
        Statistic::Median => "median",
        Statistic::Minimum => "minimum",
        Statistic::Maximum => "maximum",
        Statistic::Outliers => "outliers",
    }
}
