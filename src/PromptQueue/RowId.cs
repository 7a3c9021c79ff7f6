using System.Globalization;

namespace LlmPipeline;

/// <summary>The id of a row of a batch, which is its job's: <c>BATCH.ROW</c>. The only code that formats and parses it.</summary>
/// <param name="Batch">The batch; it may hold dots.</param>
/// <param name="Row">The row, from 1.</param>
public readonly record struct RowId(string Batch, int Row)
{
    /// <summary>The job's id.</summary>
    public override string ToString() => Of(Batch, Row);

    /// <summary>The id of the job of a row.</summary>
    public static string Of(string batch, int row) => string.Create(CultureInfo.InvariantCulture, $"{batch}.{row}");

    /// <summary>Reads an id; null for the id of a job that is no row.</summary>
    public static RowId? Parse(string jobId)
    {
        ArgumentNullException.ThrowIfNull(jobId);
        var dot = jobId.LastIndexOf('.');
        return dot > 0 && RowAt(jobId, dot) is > 0 and var row ? new RowId(jobId[..dot], row) : null;
    }

    /// <summary>The row of a job of <paramref name="batch"/>; 0 for another's. Nothing is allocated.</summary>
    public static int RowOf(string batch, string jobId)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(jobId);
        return jobId.Length > batch.Length + 1 && jobId[batch.Length] == '.' && jobId.StartsWith(batch, StringComparison.Ordinal)
            ? RowAt(jobId, batch.Length) : 0;
    }

    // Digits without a zero in front, so that each row has one id.
    private static int RowAt(string jobId, int dot) =>
        dot + 1 < jobId.Length && jobId[dot + 1] != '0'
        && int.TryParse(jobId.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var row) && row <= Names.MaxRow
            ? row
            : 0;
}
