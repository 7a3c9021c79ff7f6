using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmPipeline.Tests;

/// <summary>What a row of the dialect table says that the simulator answers, read without the simulator's help.</summary>
internal sealed partial class DialectAnswer
{
    public const string Model = "some-model";

    private static readonly JsonElement Texts =
        JsonElement.Parse(Repository.Read("src/LlmWorker/Providers/dialects.json")).GetProperty("texts");

    private readonly JsonElement _answer;
    private readonly DateTimeOffset _now;

    public DialectAnswer(Dialect row, DateTimeOffset now)
    {
        _answer = row.Answer;
        _now = now;
        Row = row;
    }

    public Dialect Row { get; }

    public string Connection => Text("connection") ?? "whole";

    public string Encoding => Text("encoding") ?? "none";

    public int Pause => Number("pause") ?? 0;

    public int? First => Condition("first")?.GetInt32();

    public int? Nth => Condition("nth")?.GetInt32();

    public bool IsOwn => !Has("json") && !Has("text") && !Has("parts") && Connection == "whole";

    public int Status(int nth) => Has("statuses") ? _answer.GetProperty("statuses")[nth - 1].GetInt32() : Number("status") ?? 200;

    /// <summary>The headers by name: null for one that must not be there.</summary>
    public IEnumerable<(string Name, string? Value)> Headers
    {
        get
        {
            if (Has("json"))
                yield return ("content-type", "application/json");
            if (Has("headers"))
                foreach (var header in _answer.GetProperty("headers").EnumerateObject())
                    yield return (header.Name, header.Value.ValueKind switch
                    {
                        JsonValueKind.Null => null,
                        JsonValueKind.Array => string.Join(", ", header.Value.EnumerateArray().Select(v => v.GetString())),
                        _ => Fill(header.Value.GetString()!),
                    });
        }
    }

    /// <summary>The body, byte for byte; JSON as text without white space.</summary>
    public byte[] Body
    {
        get
        {
            if (Has("json"))
                return System.Text.Encoding.UTF8.GetBytes(Fill(_answer.GetProperty("json").GetRawText()));
            var text = Has("parts")
                ? string.Concat(_answer.GetProperty("parts").EnumerateArray().Select(p => p.GetString()))
                : Text("text")!;
            return Escape().Split(Fill(text)).Zip([.. Escape().Matches(Fill(text)).Select(m => m.Value), ""])
                .SelectMany(
                    p =>
                        System.Text.Encoding.UTF8.GetBytes(p.First).Concat(
                            p.Second.Length == 0 ? [] : Convert.FromHexString(p.Second[2..]))).ToArray();
        }
    }

    /// <summary>The error in the body, for rows that answer with one.</summary>
    public ProviderError Error => ProviderError.Read(Body);

    private string Fill(string text)
    {
        foreach (var named in Texts.EnumerateObject())
            text = text.Replace("{{" + named.Name + "}}", named.Value.GetString(), StringComparison.Ordinal);
        text = text.Replace("{{model}}", Model, StringComparison.Ordinal);
        return Moment().Replace(text, found =>
        {
            var then = _now.AddSeconds(int.Parse(found.Groups[2].Value, CultureInfo.InvariantCulture));
            return found.Groups[1].Value switch
            {
                "epoch" => then.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
                "epochms" => then.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture),
                "iso" => then.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture),
                _ => then.ToString("R", CultureInfo.InvariantCulture),
            };
        });
    }

    private bool Has(string name) => _answer.TryGetProperty(name, out _);

    private string? Text(string name) => _answer.TryGetProperty(name, out var value) ? value.GetString() : null;

    private int? Number(string name) => _answer.TryGetProperty(name, out var value) ? value.GetInt32() : null;

    private JsonElement? Condition(string name) => Row.When is { } when && when.TryGetProperty(name, out var value) ? value : null;

    [GeneratedRegex(@"\{\{(epoch|epochms|iso|date)\+(\d+)\}\}")]
    private static partial Regex Moment();

    [GeneratedRegex(@"\\x[0-9A-F]{2}")]
    private static partial Regex Escape();
}
