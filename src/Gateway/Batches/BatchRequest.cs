using System.Text.Json;

namespace LlmPipeline;

/// <summary>A batch that somebody wants.</summary>
internal sealed record BatchRequest
{
    private const int MaxPairs = 16, MaxKey = 64, MaxValue = 512;

    public required string InputFileId { get; init; }

    /// <summary>The path of its rows, with <c>/v1</c>.</summary>
    public required string Endpoint { get; init; }

    /// <summary>As it was asked for, such as <c>24h</c>.</summary>
    public required string CompletionWindow { get; init; }

    public required TimeSpan Window { get; init; }

    /// <summary>How long its files are kept, s; 0 for ever.</summary>
    public long OutputLife { get; init; }

    public Dictionary<string, string>? Metadata { get; init; }

    /// <exception cref="ApiException">A field is missing or wrong.</exception>
    public static BatchRequest Read(JsonFields fields)
    {
        var window = fields.Required("completion_window");
        var endpoint = fields.Required("endpoint");
        return new BatchRequest
        {
            InputFileId = fields.Required("input_file_id"),
            Endpoint = InputOptions.Endpoint(endpoint)
                ?? throw ApiError.Invalid("endpoint", $"'endpoint' must be one of {InputOptions.Endpoints}.").Thrown(),
            CompletionWindow = window,
            Window = LlmPipeline.CompletionWindow.Parse(window) ?? throw ApiError.Invalid("completion_window", LlmPipeline.CompletionWindow.Rule).Thrown(),
            OutputLife = Life(fields.Object("output_expires_after")),
            Metadata = Pairs(fields),
        };
    }

    private static long Life(JsonFields? fields)
    {
        if (fields is null)
            return 0;
        if (fields.Required("anchor") != "created_at")
            throw ApiError.Invalid("output_expires_after.anchor", "'output_expires_after.anchor' must be 'created_at'.").Thrown();
        return fields.Number("seconds") is { } seconds && FileLife.Allows(seconds)
            ? seconds
            : throw ApiError.Invalid("output_expires_after.seconds", $"'output_expires_after.seconds' must be a whole number {FileLife.Range}.").Thrown();
    }

    /// <summary>The caller's own data; null for none.</summary>
    /// <exception cref="ApiException">There is too much of it, or something is no text.</exception>
    public static Dictionary<string, string>? Pairs(JsonFields of)
    {
        if (of.Object("metadata") is not { } fields)
            return null;
        var pairs = new Dictionary<string, string>();
        foreach (var (name, value) in fields.All())
        {
            if (name.Length > MaxKey)
                throw of.Wrong("metadata", $"has a key that is longer than {MaxKey} characters");
            if (value.ValueKind != JsonValueKind.String || fields.Text(name)!.Length > MaxValue)
                throw fields.Wrong(name, $"must be a string of up to {MaxValue} characters");
            pairs[name] = fields.Text(name)!;
        }

        return pairs.Count <= MaxPairs ? pairs : throw of.Wrong("metadata", $"holds more than {MaxPairs} pairs");
    }
}
