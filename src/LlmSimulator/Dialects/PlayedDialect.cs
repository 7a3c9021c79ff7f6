using System.Text.Json;

namespace LlmPipeline;

/// <summary>One row of the dialect table as the simulator plays it; what is only for the worker is skipped.</summary>
internal sealed record PlayedDialect
{
    /// <summary>The unique name.</summary>
    public required string Name { get; init; }

    /// <summary>The provider or server.</summary>
    public required string Provider { get; init; }

    /// <summary>What it shows; for readers.</summary>
    public required string Behaviour { get; init; }

    /// <summary>Where it is documented; for readers.</summary>
    public required string Source { get; init; }

    // With init, the reader that is generated at compile time would replace the default of an absent field.

    /// <summary>Which calls meet it.</summary>
    public PlayedWhen When { get; set; } = new();

    /// <summary>The answer.</summary>
    public required PlayedAnswer Answer { get; init; }

    /// <summary>The answer to <c>GET /v1/models</c>.</summary>
    public PlayedModels Models { get; init; }

    /// <summary>The tokens of the completion that it is; null where it is none, or the simulator's own.</summary>
    public PlayedTokens? Tokens { get; init; }

    /// <summary>For the worker.</summary>
    public JsonElement? Match { get; init; }

    /// <summary>For the worker.</summary>
    public required string Outcome { get; init; }

    /// <summary>For the worker.</summary>
    public bool Lenient { get; init; }

    /// <summary>For the worker.</summary>
    public required JsonElement Expect { get; init; }
}
