using System.CommandLine;

namespace LlmPipeline;

/// <summary>Names of batches, for people: which are allowed, and which batch is meant.</summary>
internal static class BatchNames
{
    private const int MaxLength = 100;

    // As long as the id of a batch, "b-" and 32 digits.
    private const int IdLength = 34;

    /// <summary><c>--name</c> of <c>submit</c>.</summary>
    public static Option<string?> Option()
    {
        var option = new Option<string?>("--name") { Description = "What to call the batch, wherever its id is asked for. Up to 100 characters.", HelpName = "NAME" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && Fault(result.Tokens[0].Value) is { } fault)
                result.AddError($"--name '{result.Tokens[0].Value}' {fault}");
        });
        return option;
    }

    /// <summary>The batch of an id or a name; null when there is none.</summary>
    /// <exception cref="CliException">Several batches have the name, or it is neither an id nor a name.</exception>
    public static async Task<BatchInfo?> FindAsync(Fleet fleet, string idOrName, CancellationToken cancellationToken)
    {
        if (await fleet.FindBatchAsync(idOrName, cancellationToken).ConfigureAwait(false) is { } batch)
            return batch;
        if (Fault(idOrName) is not null)
            return null;
        var ids = await fleet.AnsweredAsync(() => fleet.Queue.Batches.NamedAsync(idOrName), cancellationToken).ConfigureAwait(false);
        if (ids.Count > 1)
            throw CliException.Broke($"{ids.Count} batches are named {idOrName}: {string.Join(", ", ids)}; name one of these ids");
        return ids.Count == 0 ? null : await fleet.FindBatchAsync(ids[0], cancellationToken).ConfigureAwait(false);
    }

    private static string? Fault(string name) =>
        Names.Fault(name) is { } fault ? fault
        : name.Length > MaxLength ? $"is longer than {MaxLength} characters"
        : name.Trim() != name ? "begins or ends with a space"
        : name.Length >= IdLength && (name.StartsWith("b-", StringComparison.Ordinal) || name.StartsWith("j-", StringComparison.Ordinal)) ? "has the form of an id"
        : null;
}
