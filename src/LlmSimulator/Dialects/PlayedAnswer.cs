using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// An answer of the dialect table. Without <see cref="Json"/>, <see cref="Text"/>, <see cref="Parts"/> and a broken connection it is the
/// simulator's own, with <see cref="Headers"/>.
/// </summary>
internal sealed record PlayedAnswer
{
    // With init, the reader that is generated at compile time would replace the default of an absent field.

    /// <summary>The status; 200 by default.</summary>
    public int Status { get; set; } = 200;

    /// <summary>The statuses of the first, second, … call that meets it, in place of <see cref="Status"/>; the last one stays.</summary>
    public IReadOnlyList<int>? Statuses { get; init; }

    /// <summary>Headers by name; a header that comes more than once has an array. Values may hold placeholders.</summary>
    public IReadOnlyDictionary<string, JsonElement> Headers { get; set; } = new Dictionary<string, JsonElement>();

    /// <summary>The body as JSON; sent as <c>application/json</c> unless a header says otherwise.</summary>
    public JsonElement? Json { get; init; }

    /// <summary>The body as text with placeholders and <c>\xHH</c> for bytes; sent without a type unless a header gives one.</summary>
    public string? Text { get; init; }

    /// <summary>The body in parts, each flushed, without a length: for streams.</summary>
    public IReadOnlyList<string>? Parts { get; init; }

    /// <summary>Milliseconds before the first byte.</summary>
    public int Wait { get; init; }

    /// <summary>Milliseconds between two parts.</summary>
    public int Pause { get; init; }

    /// <summary>Whether it is compressed.</summary>
    public PlayedEncoding Encoding { get; init; }

    /// <summary>What becomes of the connection.</summary>
    public PlayedConnection Connection { get; init; }

    /// <summary>Whether the body is the simulator's own.</summary>
    public bool IsOwn => Json is null && Text is null && Parts is null && Connection is PlayedConnection.Whole;

    /// <summary>The status of the nth call, from 1.</summary>
    public int StatusOf(int nth) => Statuses is { Count: > 0 } statuses ? statuses[Math.Min(nth, statuses.Count) - 1] : Status;
}
