namespace LlmPipeline;

/// <summary>A worker of a fleet, as it announces itself and as the queues know it.</summary>
/// <param name="Worker">Its name.</param>
/// <param name="Host">The machine; null where the worker is of a version that does not announce it.</param>
/// <param name="Version">The version of the program; null as for <paramref name="Host"/>.</param>
/// <param name="Models">
/// The models that it serves, in the order of their names, or <see cref="FleetModels.Every"/>; null where the worker announces none.
/// </param>
/// <param name="Concurrency">How many calls it makes at the same time at most; null as for <paramref name="Host"/>.</param>
/// <param name="Running">Jobs of shared queues that it holds a lease on.</param>
/// <param name="LastSeen">
/// When it last announced itself, claimed or renewed, by the clock of Redis. A worker without jobs announces itself every 10 s.
/// </param>
public sealed record WorkerInfo(
    string Worker, string? Host, string? Version, IReadOnlyList<string>? Models, int? Concurrency, int Running, DateTimeOffset LastSeen);
