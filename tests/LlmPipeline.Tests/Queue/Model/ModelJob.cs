namespace LlmPipeline;

/// <summary>A job of the model.</summary>
internal sealed record ModelJob(string Id, Lane Lane, string? Batch, int Row)
{
    public int Attempts { get; set; }

    public int Lost { get; set; }

    /// <summary>Null while nobody holds it.</summary>
    public string? Token { get; set; }

    public string Worker { get; set; } = "";

    /// <summary>Whether it was claimed since it last started afresh.</summary>
    public bool Leased { get; set; }

    public static ModelJob Of(Job job) => new(job.Id, job.Lane, job.Batch, job.Row);
}

/// <summary>The rows of a batch in one partition.</summary>
internal sealed class ModelBatch
{
    public int Expected { get; set; }

    public bool Stop { get; set; }

    /// <summary>Row → how it has ended: 1 completed, 2 failed or expired, 3 cancelled.</summary>
    public SortedDictionary<int, int> Ended { get; } = [];

    public List<string> Finished { get; } = [];

    public int Count(int state) => Ended.Values.Count(s => s == state);
}
