using System.Text;

namespace LlmPipeline;

/// <summary>Which calls meet a dialect. All conditions must hold; without any, every call does.</summary>
internal sealed record PlayedWhen
{
    /// <summary>The calls by key and model.</summary>
    public PlayedCalls Calls { get; init; }

    /// <summary>The number of first calls that it plays; null for no end.</summary>
    public int? First { get; init; }

    /// <summary>The one call of this number, from 1; null for any.</summary>
    public int? Nth { get; init; }

    /// <summary>The calls of this many seconds from the first on; null for no end.</summary>
    public double? Seconds { get; init; }

    /// <summary>Calls whose body holds this text; null for any.</summary>
    public string? Marker { get; init; }

    /// <summary>Streamed calls only, or others only; null for both.</summary>
    public bool? Streamed { get; init; }

    /// <summary>Calls of one route only: <c>chat</c>, <c>completions</c>, <c>embeddings</c> or <c>responses</c>; null for any.</summary>
    public string? Route { get; init; }

    /// <summary>Whether a call is of those that can meet it, counts and times aside.</summary>
    public bool Holds(PlayedCall call) => Calls switch
    {
        PlayedCalls.WrongKey when call.HasKey => false,
        PlayedCalls.UnknownModel when call.HasModel => false,
        _ => (Streamed is null || Streamed == call.Streamed)
            && (Route is null || Route == NameOf(call.Kind))
            && (Marker is null || call.Body.Span.IndexOf(Encoding.UTF8.GetBytes(Marker)) >= 0),
    };

    /// <summary>The name of a route.</summary>
    public static string NameOf(CallKind kind) => kind switch
    {
        CallKind.Chat => "chat",
        CallKind.Completion => "completions",
        CallKind.Embedding => "embeddings",
        _ => "responses",
    };
}
