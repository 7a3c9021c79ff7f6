using System.Text.Json.Serialization;

namespace LlmPipeline;

/// <summary>What a worker says of itself in <c>pq:workers</c>.</summary>
/// <param name="Seen">When it was written, ms by the clock of Redis.</param>
/// <param name="Host">The machine.</param>
/// <param name="Version">The version of the program.</param>
/// <param name="Concurrency">How many calls it makes at the same time at most.</param>
internal sealed record WorkerAnnouncement(long Seen, string Host, string Version, int Concurrency);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(WorkerAnnouncement))]
internal sealed partial class WorkerAnnouncementJson : JsonSerializerContext;
