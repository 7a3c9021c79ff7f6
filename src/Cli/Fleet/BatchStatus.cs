using System.Globalization;
using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>How far a batch is.</summary>
internal sealed record BatchStatus
{
    public required string Batch { get; init; }

    /// <summary>The name that it was submitted with; absent when it has none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? Name { get; init; }

    /// <summary>submitting, running, cancelling or ended.</summary>
    public required string State { get; init; }

    public required DateTimeOffset Created { get; init; }

    public required IReadOnlyList<string> Queues { get; init; }

    /// <summary>Whose answers these are; "fleet" when the submitter did not know.</summary>
    public required string Endpoint { get; init; }

    public required long Rows { get; init; }

    /// <summary>Rows that are on the queue or have ended.</summary>
    public required long Submitted { get; init; }

    public required long Completed { get; init; }

    /// <summary>Those past their deadline included.</summary>
    public required long Failed { get; init; }

    public required long Cancelled { get; init; }

    /// <summary>Rows that have not ended. Of a batch that was submitted as a whole: those that are on the queue.</summary>
    public required long Left { get; init; }

    /// <summary>Rows that ended in a second, over the time that was measured; absent when it was not measured, and when the batch has ended.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? RowsPerSecond { get; init; }

    /// <summary>The seconds that are left at this rate; absent where no row ended in the time that was measured.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? SecondsLeft { get; init; }

    /// <summary>What its calls have cost, those that failed included, in the price table's currency; absent as long as no price is known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required decimal? Cost { get; init; }

    /// <summary>True when results of it are a simulator's (<c>llmpipe simulate</c>); absent when none is.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public required bool Simulated { get; init; }

    /// <summary>The models of its rows.</summary>
    public required IReadOnlyList<string> Models { get; init; }

    [JsonIgnore]
    public bool HasEnded => State == "ended";

    /// <exception cref="CliException">There is no such batch.</exception>
    public static async Task<BatchStatus> ReadAsync(Fleet fleet, string id, CancellationToken cancellationToken) =>
        await ReadAsync(fleet, await fleet.BatchAsync(id, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);

    public static async Task<BatchStatus> ReadAsync(Fleet fleet, BatchInfo batch, CancellationToken cancellationToken)
    {
        var progress = await fleet.AnsweredAsync(() => fleet.Queue.Batches.ProgressAsync(batch.Id), cancellationToken).ConfigureAwait(false);
        // A run that found answers on its disk submits only the other rows.
        var left = Math.Max(0, (batch.Sealed ? progress.Expected : batch.Rows) - progress.Ended);
        return new BatchStatus
        {
            Batch = batch.Id,
            Name = batch.Name,
            State = left == 0 ? "ended" : batch.Cancelled ? "cancelling" : batch.Sealed || progress.Expected >= batch.Rows ? "running" : "submitting",
            Created = batch.Created,
            Queues = batch.Queues,
            Endpoint = batch.Endpoint,
            Rows = batch.Rows,
            Submitted = progress.Expected,
            Completed = progress.Completed,
            Failed = progress.Failed,
            Cancelled = progress.Cancelled,
            Left = left,
            Cost = Money.Amount(progress.SpentNanos),
            Simulated = batch.Simulated,
            Models = batch.Models,
        };
    }

    public string ToText() => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        batch      {Batch}, {State}
        {(Name is null ? "" : $"name       {Name}\n")}created    {Created:yyyy-MM-dd HH:mm:ss}Z, for {string.Join(", ", Models)} at {Endpoint}
        rows       {RunConsole.Text(Rows)}{(Submitted < Rows ? $", {RunConsole.Text(Submitted)} of them submitted" : "")}
        completed  {RunConsole.Text(Completed)}
        failed     {RunConsole.Text(Failed)}
        cancelled  {RunConsole.Text(Cancelled)}
        {(Cost is { } cost ? $"cost       {Money.Text(cost)}\n" : "")}left       {RunConsole.Text(Left)}{(RowsPerSecond is { } rate ? $"\nrate       {BatchRates.Text(rate)} rows/s{(SecondsLeft is { } left ? $", about {BatchRates.TimeText(left)} left" : "")}" : "")}{(Simulated ? "\nsimulated  some results are a simulator's (llmpipe simulate)" : "")}

        """);
}
