using System.Collections.Frozen;

namespace LlmPipeline;

/// <summary>The names of faults, as in the header <c>x-sim-fault</c>, in statistics and on the command line.</summary>
public static class FaultNames
{
    private static readonly string[] Names =
        ["ok", "500", "503", "429", "reset", "hang", "cut", "notjson", "slow", "quota", "filter"];

    private static readonly FrozenDictionary<string, FaultKind> Kinds =
        Names.Select((name, at) => (name, kind: (FaultKind)at)).ToFrozenDictionary(p => p.name, p => p.kind, StringComparer.OrdinalIgnoreCase);

    /// <summary>All names, in the order of <see cref="FaultKind"/>.</summary>
    public static IReadOnlyList<string> All => Names;

    /// <summary>The name of a fault.</summary>
    public static string Of(FaultKind kind) => Names[(int)kind];

    /// <summary>Whether it is a name, in whatever case, and of which fault.</summary>
    public static bool TryParse(string? name, out FaultKind kind)
    {
        kind = FaultKind.None;
        return name is not null && Kinds.TryGetValue(name.Trim(), out kind);
    }
}
