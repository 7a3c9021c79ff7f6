namespace LlmPipeline;

/// <summary>
/// The lane that a worker's claims start from: of 8 claims on a partition one starts from low, two from normal and five from high, so that nothing starves.
/// Each partition has a count of its own: with one for all, a partition among 8 would always be asked for the same lane.
/// </summary>
/// <param name="partitions">How many there are.</param>
/// <param name="random">Where each begins, so that workers do not march in step.</param>
internal sealed class LaneTurns(int partitions, Random random)
{
    private readonly int[] _turns = [.. Enumerable.Range(0, partitions).Select(_ => random.Next(8))];

    /// <summary>The lane of the next claim on a partition.</summary>
    public Lane Next(int partition) => (_turns[partition]++ & 7) switch { 7 => Lane.Low, 2 or 5 => Lane.Normal, _ => Lane.High };
}
