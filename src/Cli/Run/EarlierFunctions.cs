namespace LlmPipeline;

/// <summary>
/// The shipped prompt functions as version 0.1 had them, with <c>temperature</c> and <c>max_tokens</c>, which reasoning models refuse. Batches
/// that were begun with these are continued.
/// </summary>
internal static class EarlierFunctions
{
    private static readonly Dictionary<string, string> Shas = new(StringComparer.Ordinal)
    {
        ["4ab92533ee7695c9b81af73cfea9d419c7df6203c57334b105a1c4bae8dad9ee"] = "fdf2209e4b5e2333b0649774b7dfaa56c4030a0f9698a44b8867b7771ebd41a2", // classify
        ["00829c0640df5412ba7bae907b67633cebf1c64a7780b05216314e08cde7bace"] = "d536b58c049babaa4289b3b42db03f9095d442490f795f6afeb304226b96b163", // extract
        ["275e1cc266941b750eff4554e7195d304577f59febad440dd7f5b7f4fc202493"] = "15a44dc551be93062488c72b55540761aa9eadf5a886210488cea6c355de1764", // solve-math
        ["96db4cd7f71f9541ee1c3efa9653deefc56486678aaa2a925e1de6eb32212884"] = "042b051bfc89a9c125dd652d5cd2d9c02944278748ec0243562938133bc6e59c", // summarize
        ["bb6acaa42fb4481ace861e4c3f492af7431f65b7e56e9a509176fb119b0d1e86"] = "db1d43eb4975573f393b1d9494f67601827e84bab3341d4c5a4c423075f7810e", // translate
    };

    /// <summary>The hash that a function had; null for one that is as it was, or none of ours.</summary>
    public static string? ShaOf(PromptFunction? function) => function is null ? null : Shas.GetValueOrDefault(function.Sha);
}
