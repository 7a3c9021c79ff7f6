using System.Text.Json;

namespace LlmPipeline;

/// <summary>One row of the dialect table: a behaviour of a provider or server, where it is documented, and what it means.</summary>
internal sealed record Dialect
{
    /// <summary>The unique name, in kebab-case.</summary>
    public required string Name { get; init; }

    /// <summary>The provider or server, in kebab-case; the name begins with it.</summary>
    public required string Provider { get; init; }

    /// <summary>The behaviour, in a sentence.</summary>
    public required string Behaviour { get; init; }

    /// <summary>The documentation or issue that shows it.</summary>
    public required Uri Source { get; init; }

    /// <summary>
    /// Which calls meet it; absent for all. The simulator reads it; tests look at it by <see cref="Streamed"/>, <see cref="Route"/> and
    /// <see cref="Marker"/>.
    /// </summary>
    public JsonElement? When { get; init; }

    /// <summary>What the simulator answers.</summary>
    public required JsonElement Answer { get; init; }

    /// <summary>How the simulator answers <c>GET /v1/models</c>.</summary>
    public string? Models { get; init; }

    /// <summary>The tokens of the answer; null where it is no completion, or the simulator's own.</summary>
    public DialectTokens? Tokens { get; init; }

    /// <summary>How the error is recognised, where the general rules do not suffice; null where they do.</summary>
    public DialectMatch? Match { get; init; }

    /// <summary>What the answer means.</summary>
    public required DialectOutcome Outcome { get; init; }

    /// <summary>Whether it is a completion that only a tolerant reader finds.</summary>
    public bool Lenient { get; init; }

    /// <summary>What a run must show.</summary>
    public required DialectExpectation Expect { get; init; }

    /// <summary>Whether only streamed calls (true) or only others (false) meet it; null for both.</summary>
    public bool? Streamed => Condition("streamed")?.GetBoolean();

    /// <summary>
    /// The route whose calls meet it: <c>chat</c>, <c>completions</c>, <c>embeddings</c> or <c>responses</c>; null for all.
    /// </summary>
    public string? Route => Condition("route")?.GetString();

    /// <summary>The text that a request must hold to meet it; null for none.</summary>
    public string? Marker => Condition("marker")?.GetString();

    /// <inheritdoc/>
    public override string ToString() => Name;

    private JsonElement? Condition(string name) => When is { } when && when.TryGetProperty(name, out var value) ? value : null;
}
