namespace LlmPipeline;

/// <summary>How many of the jobs that a worker holds are where. Jobs whose answer is being stored are in none of these.</summary>
/// <param name="InFlight">Calls that are sent and not yet answered.</param>
/// <param name="WaitingForQuota">Jobs that have a slot and wait for a permit, for quota or for the first answers of their batch.</param>
/// <param name="Retrying">Jobs that pause in their slot before another try.</param>
/// <param name="WaitingForSlot">Jobs that are claimed and wait for a slot.</param>
public sealed record CallCounts(int InFlight, int WaitingForQuota, int Retrying, int WaitingForSlot)
{
    /// <summary>Jobs for which nothing is sent now.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public int Unsent => WaitingForQuota + Retrying + WaitingForSlot;

    /// <summary>Adds the counts of several workers.</summary>
    public static CallCounts operator +(CallCounts left, CallCounts right) => Add(left, right);

    /// <summary>Adds the counts of several workers.</summary>
    public static CallCounts Add(CallCounts left, CallCounts right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        return new CallCounts(
            left.InFlight + right.InFlight, left.WaitingForQuota + right.WaitingForQuota, left.Retrying + right.Retrying,
            left.WaitingForSlot + right.WaitingForSlot);
    }

    /// <summary>In words: <c>3 in flight, 2 waiting for quota, 0 retrying, 1 waiting for a slot</c>.</summary>
    public override string ToString() => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{InFlight:N0} in flight, {WaitingForQuota:N0} waiting for quota, {Retrying:N0} retrying, {WaitingForSlot:N0} waiting for a slot");

    internal static CallCounts Of(IEnumerable<HeldJob> jobs)
    {
        Span<int> counts = stackalloc int[(int)CallStage.Ended + 1];
        foreach (var job in jobs)
            counts[(int)job.Progress.Stage]++;
        return new CallCounts(
            counts[(int)CallStage.Sent], counts[(int)CallStage.WaitingForQuota], counts[(int)CallStage.Retrying], counts[(int)CallStage.WaitingForSlot]);
    }
}
