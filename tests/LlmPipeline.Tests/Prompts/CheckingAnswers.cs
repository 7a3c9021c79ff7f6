using System.Globalization;
using System.Text.Json;

namespace LlmPipeline.Tests;

public sealed class CheckingAnswers
{
    private const string Person = """
        {"type":"object","additionalProperties":false,"required":["name","kind","tags"],
         "properties":{"name":{"type":"string","minLength":1},"kind":{"enum":["a","b"]},"tags":{"type":"array","items":{"$ref":"#/$defs/tag"}},"age":{"type":["integer","null"]},
         "next":{"anyOf":[{"type":"null"},{"$ref":"#"}]}},
         "$defs":{"tag":{"type":"object","required":["t"],"properties":{"t":{"const":"x"}}}}}
        """;

    [Theory]
    [InlineData("""{"name":"n","kind":"a","tags":[]}""")]
    [InlineData("""  {"tags":[{"t":"x"}],"kind":"b","name":"<b>&\u0001\ud83d","age":null,"next":{"name":"m","kind":"a","tags":[]}}  """)]
    public void What_fits_has_no_faults(string answer) => Assert.Empty(Schema(Person).Faults(answer));

    [Theory]
    [InlineData("", "not JSON (line 1, byte 1)")]
    [InlineData("Here you are: {}", "not JSON (line 1, byte 1)")]
    [InlineData("```json\n{}\n```", "not JSON (line 1, byte 1)")]
    [InlineData("{'name':'n'}", "not JSON (line 1, byte 2)")]
    [InlineData("{} {}", "not JSON (line 1, byte 4)")]
    [InlineData("[]", "#/: object expected")]
    [InlineData("""{"kind":"a","tags":[]}""", "#/name: property required")]
    [InlineData("""{"name":"","kind":"a","tags":[]}""", "#/name: string too short")]
    [InlineData("""{"name":"n","kind":"secret","tags":[]}""", "#/kind: not in enumeration")]
    [InlineData("""{"name":"n","kind":"a","tags":[{"t":"y"}]}""", "#/tags[0].t: not in enumeration")]
    [InlineData("""{"name":"n","kind":"a","tags":[],"more":1}""", "#/more: no additional properties allowed")]
    [InlineData("""{"name":"n","kind":"a","tags":[],"next":{"name":1}}""", "#/next: not any of")]
    public void What_does_not_fit_is_told_with_its_place_and_without_its_value(string answer, string fault)
    {
        var faults = Schema(Person).Faults(answer);
        Assert.Contains(fault, faults);
        Assert.DoesNotContain("secret", string.Concat(faults), StringComparison.Ordinal);
    }

    // No inline data: half a surrogate pair does not survive the way from there.
    [Fact]
    public void Half_a_surrogate_pair_is_no_JSON() => Assert.Equal(["not JSON (half a surrogate pair)"], Schema(Person).Faults("{\"name\":\"\ud83d\"}"));

    [Fact]
    public void A_flood_of_faults_is_cut_short()
    {
        var name = new string('x', 5000);
        var answer = "{" + string.Join(',', Enumerable.Range(0, 500).Select(n => string.Create(CultureInfo.InvariantCulture, $"\"{name}{n}\":1"))) + "}";
        var faults = Schema(Person).Faults(answer);
        Assert.InRange(faults.Sum(fault => fault.Length), 1, 2000);
    }

    [Theory]
    [InlineData("[]", ": must be an object, a JSON schema")]
    [InlineData("""{"type":"strng"}""", ".type: must be one of string, number")]
    [InlineData("""{"type":[]}""", ".type: must be one of string, number")]
    [InlineData("""{"properties":3}""", ".properties: must be an object of schemas")]
    [InlineData("""{"properties":{"a":true}}""", ".properties.a: must be an object, a JSON schema")]
    [InlineData("""{"properties":{"a":{"required":"b"}}}""", ".properties.a.required: must be an array of names")]
    [InlineData("""{"items":{"pattern":"^["}}""", ".items.pattern: must be a regular expression")]
    [InlineData("""{"patternProperties":{"^[":{}}}""", ".patternProperties.^[: must be named by a regular expression")]
    [InlineData("""{"anyOf":[{"type":"null"},{"minLength":-1}]}""", ".anyOf[1].minLength: must be a whole number, 0 or more")]
    [InlineData("""{"enum":[]}""", ".enum: must be an array of one value or more")]
    [InlineData("""{"multipleOf":0}""", ".multipleOf: must be a number above 0")]
    [InlineData("""{"uniqueItems":1}""", ".uniqueItems: must be true or false")]
    [InlineData("""{"$ref":"https://example.org/schema.json"}""", ".$ref: must be a reference within the schema")]
    [InlineData("""{"$ref":"#/$defs/a","minLength":1,"$defs":{"a":{}}}""", ".minLength: cannot stand beside $ref")]
    [InlineData("""{"properties":{"a":{"$ref":"#/$defs/none"}}}""", "Could not resolve the path '#/$defs/none'")]
    [InlineData("""{"$ref":"#"}""", "")]
    [InlineData("""{"if":{"type":"string"}}""", ".if: is a keyword that answers are not checked for")]
    [InlineData("""{"type":"string","type":"null"}""", ".type: is there twice")]
    [InlineData("""{"const":1,"enum":[1]}""", ": has both const and enum")]
    public void A_schema_that_is_not_valid_is_refused_with_its_field(string schema, string message)
    {
        var e = Assert.Throws<PromptFunctionException>(() => Schema(schema));
        Assert.StartsWith("f: ", e.Message.Replace("f.", "f: .", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public async Task Many_may_check_at_once()
    {
        var schema = Schema(Person);
        var faults = await Task.WhenAll(Enumerable.Range(0, 200).Select(n => Task.Run(() => schema.Faults(n % 2 == 0 ? """{"name":"n","kind":"a","tags":[{"t":"x"}]}""" : "[]"))));
        Assert.All(faults, (found, n) => Assert.Equal(n % 2 == 0, found.Count == 0));
    }

    private static AnswerSchema Schema(string json)
    {
        using var document = JsonDocument.Parse(json);
        return AnswerSchema.Parse("f", document.RootElement);
    }
}
