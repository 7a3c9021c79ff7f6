namespace LlmPipeline;

/// <summary>The batch whose answers an output takes.</summary>
public sealed record OutputBatch
{
    /// <summary>The batch's id; its jobs are <c>&lt;id&gt;.&lt;row&gt;</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The id without the suffix of a deliberate re-run: batches of one family have the same rows.</summary>
    public required string Family { get; init; }

    /// <summary>Families whose answers may be replaced without being asked, as synthetic ones give way to real ones.</summary>
    public IReadOnlyCollection<string> ReplaceableFamilies { get; init; } = [];

    /// <summary>Whether lines of those families stay in the checkpoint until the end, because rows take answers from them.</summary>
    public bool KeepsReplaceable { get; init; }

    /// <summary>Families that an earlier version gave to the same rows: their answers are continued under the id that they have.</summary>
    public IReadOnlyCollection<string> EarlierFamilies { get; init; } = [];

    internal bool Owns(string id) => id == Id || IsOf(id, Family) || EarlierFamilies.Any(family => IsOf(id, family));

    internal bool MayReplace(string id) => ReplaceableFamilies.Any(family => IsOf(id, family));

    /// <summary>Is it the family itself, or the family with the 8 hex digits of a re-run?</summary>
    private static bool IsOf(string id, string family) =>
        id.StartsWith(family, StringComparison.Ordinal)
        && (id.Length == family.Length || (id.Length == family.Length + 9 && id[family.Length] == '-' && id.AsSpan(family.Length + 1).IndexOfAnyExcept(Hex) < 0));

    private static readonly System.Buffers.SearchValues<char> Hex = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");
}
