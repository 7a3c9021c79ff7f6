namespace LlmPipeline.Bench;

/// <summary>One thing that is measured, in one row or some.</summary>
internal abstract class Measurement
{
    /// <summary>By which it is chosen on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>What it is, where it cannot be told by its rows because there are none.</summary>
    public abstract string Title { get; }

    /// <exception cref="MeasurementException">It cannot be measured here at all.</exception>
    public abstract Task<IReadOnlyList<Comparison>> MeasureAsync(PeerBench bench);

    public static IReadOnlyList<Measurement> All { get; } =
    [
        new Enqueueing(), new Processing(), new PickingUp(), new CallingAnEndpoint(), new CpuPerJob(), new WorkerMemory(), new RedisMemory(),
        new Growing(), new Spreading(), new StartingStatus(), new RunningAFile(), new SimulatorRate(),
    ];
}
