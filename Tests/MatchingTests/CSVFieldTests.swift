import Matching
import Testing

struct CSVFieldTests {
  @Test(arguments: [
    ("plain", "plain"), ("", ""), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("a\r\nb", "\"a\r\nb\""), ("a;b", "a;b"),
    ("x\"\u{301},=1", "\"x\"\"\u{301},=1\""), (",\u{301}", "\",\u{301}\""),
  ]) func whatNeedsQuotesHasThem(text: String, field: String) {
    // As scalars: to a String, a quote with an accent is another character.
    #expect(Array(text.csvField().utf8) == Array(field.utf8))
  }

  @Test func furtherCharactersAreQuotedWhereAskedFor() {
    #expect("a;b".csvField(quotedFor: ";\t") == "\"a;b\"")
  }

  @Test(arguments: ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "=\u{301}1"]) func noFormulaIsLeft(text: String) {
    #expect(text.withoutFormula.unicodeScalars.first == "'")
  }
}
