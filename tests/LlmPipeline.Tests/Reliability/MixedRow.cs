using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>A row of a mixed run: what it asks, which behaviour of the endpoint it meets, and what the dialect table says that this comes to.</summary>
internal sealed class MixedRow
{
    private const string Mark = "POISON";
    private const int OversizedAttempts = 3;
    private static readonly string[] Routes = ["chat", "embeddings", "chat", "responses", "chat", "completions"];
    private readonly Dialect? _meets;

    /// <param name="number">From 1.</param>
    /// <param name="llm">The endpoint, which draws a behaviour for each prompt.</param>
    public MixedRow(int number, LlmSimulator llm)
    {
        Number = number;
        var isMarked = number % 2 == 1;
        var text = $"question {number}{(isMarked ? " " + Mark : "")}";
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
        var drawn = DialectTable.Default.Rows.FirstOrDefault(row => row.Name == llm.DialectOf(hash));
        // One in five asks what the behaviour does not concern.
        var fits = number % 5 != 0;
        var route = fits && drawn?.Route is { } wanted ? wanted : Routes[number % Routes.Length];
        IsStreamed = route == "chat" && (fits && drawn?.Streamed is { } streamed ? streamed : number % 3 == 0);
        Path = route == "chat" ? "/v1/chat/completions" : $"/v1/{route}";
        Body = BodyOf(route, text, IsStreamed);
        if (drawn is not null && (drawn.Route is null || drawn.Route == route) && (drawn.Streamed is null || drawn.Streamed == IsStreamed)
            && (drawn.Marker is null || (drawn.Marker == Mark ? isMarked : IsStreamed)))
            _meets = drawn;
    }

    public int Number { get; }

    public string Path { get; }

    public bool IsStreamed { get; }

    public byte[] Body { get; }

    /// <summary>The name of the behaviour that it meets; empty for none.</summary>
    public string Meets => _meets?.Name ?? "";

    /// <summary>Whether it ends with an error. One endpoint has one key: where others succeed, a refusal of the account is the row's own.</summary>
    public bool Fails => _meets?.Outcome is DialectOutcome.Row or DialectOutcome.RequestTooLarge or DialectOutcome.Account or DialectOutcome.Model;

    /// <summary>The calls that it needs; null where they depend on what other rows meet meanwhile: whose fault a refusal is has to be found out.</summary>
    public int? Calls => _meets switch
    {
        null => 1,
        { Outcome: DialectOutcome.Account or DialectOutcome.Model } => null,
        { Outcome: DialectOutcome.RequestTooLarge } => Status(_meets) == 429 ? OversizedAttempts : 1,
        // A worker that knows it already sends it right at once.
        { Outcome: DialectOutcome.Unsupported } => 2,
        _ => 1 + (Count("first") ?? 0),
    };

    /// <summary>How long a call may take; short where the behaviour is silence.</summary>
    public TimeSpan? AttemptTimeout => _meets is not null && _meets.Answer.TryGetProperty("connection", out var connection) && connection.ValueEquals("hang") ? TimeSpan.FromSeconds(3) : null;

    /// <summary>What is wrong with its result; null for nothing.</summary>
    public string? FaultOf(JobResult? result)
    {
        if (result is null)
            return Fault("has no result");
        var body = Encoding.UTF8.GetString(result.Response.Span);
        if (result.Status != (Fails ? ResultStatus.Failed : ResultStatus.Completed))
            return Fault($"is {result.Status} ({result.Meta.Error?.Code}): {body}");
        if (Fails)
            return _meets!.Expect.Says is { } says && !body.Contains(says, StringComparison.Ordinal) ? Fault($"does not say '{says}': {body}") : null;
        if (result.Meta.Lenient != (_meets?.Lenient ?? false))
            return Fault($"is lenient: {result.Meta.Lenient}");
        if (_meets?.Expect.Text is { } text && !body.Contains(text, StringComparison.Ordinal) && !body.Contains(JsonSerializer.Serialize(text)[1..^1], StringComparison.OrdinalIgnoreCase))
            return Fault($"lacks '{text}': {body}");
        // Once the endpoint has refused to be asked for the usage of streams, the simulator's own streams tell none.
        if (result.Meta.UsageEstimated != (_meets?.Expect.Estimated ?? false) && !(result.Meta.UsageEstimated && IsStreamed && _meets?.Tokens is null))
            return Fault($"has an estimated usage: {result.Meta.UsageEstimated}");
        return _meets is { Tokens: { } tokens, Expect.Estimated: false } && (tokens.Input, tokens.Output) != (result.Meta.InputTokens, result.Meta.OutputTokens)
            ? Fault($"has {result.Meta.InputTokens} and {result.Meta.OutputTokens} tokens, not {tokens.Input} and {tokens.Output}")
            : null;
    }

    private string Fault(string what) => $"row {Number} ({Path}, {(Meets.Length > 0 ? Meets : "no dialect")}) {what}";

    private int? Count(string condition) => _meets!.When is { } when && when.TryGetProperty(condition, out var value) ? value.GetInt32() : null;

    private static int Status(Dialect dialect) => dialect.Answer.TryGetProperty("status", out var status) ? status.GetInt32() : 200;

    private static byte[] BodyOf(string route, string text, bool isStreamed)
    {
        var body = new JsonObject { ["model"] = "mixed" };
        if (isStreamed)
            body["stream"] = true;
        if (route == "chat")
            body["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text });
        else
            body[route == "completions" ? "prompt" : "input"] = text;
        return Encoding.UTF8.GetBytes(body.ToJsonString());
    }
}
