using System.Globalization;

namespace LlmPipeline;

/// <summary>The batches of <c>status</c>, for people: a line each. Columns that are empty for all are left out.</summary>
internal static class BatchTable
{
    private static readonly (string Header, Func<BatchStatus, string> Cell)[] Columns =
    [
        ("BATCH", b => b.Batch),
        ("NAME", b => b.Name ?? ""),
        ("CREATED", b => b.Created.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)),
        ("STATE", b => b.Simulated ? b.State + ", simulated" : b.State),
        ("ROWS", b => RunConsole.Text(b.Rows)),
        ("COMPLETED", b => RunConsole.Text(b.Completed)),
        ("FAILED", b => RunConsole.Text(b.Failed)),
        ("CANCELLED", b => RunConsole.Text(b.Cancelled)),
        ("LEFT", b => RunConsole.Text(b.Left)),
        ("ROWS/S", b => b.RowsPerSecond is { } rate ? BatchRates.Text(rate) : ""),
        ("TIME LEFT", b => b.SecondsLeft is { } seconds ? BatchRates.TimeText(seconds) : ""),
        ("COST", b => b.Cost is { } cost ? Money.Text(cost) : ""),
    ];

    // The least important first.
    private static readonly string[] LeaveOut = ["CREATED", "CANCELLED", "COST", "ROWS", "COMPLETED", "ROWS/S", "FAILED", "TIME LEFT"];

    /// <param name="batches">The batches.</param>
    /// <param name="width">Columns of the terminal that it is to fit; null: all is shown.</param>
    public static string Of(IReadOnlyList<BatchStatus> batches, int? width) => Of(batches).ToText(width, LeaveOut);

    /// <summary>Writes the table to standard output.</summary>
    public static void Print(IReadOnlyList<BatchStatus> batches) => Of(batches).Print(LeaveOut);

    private static FleetTable Of(IReadOnlyList<BatchStatus> batches)
    {
        var columns = Columns.Where(column => batches.Any(batch => column.Cell(batch).Length > 0)).ToList();
        var table = new FleetTable([.. columns.Select(column => column.Header)]);
        foreach (var batch in batches)
            table.Add([.. columns.Select(column => column.Cell(batch))]);
        return table;
    }
}
