using System.Runtime.CompilerServices;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A run that was checked: the input has no error, the options fit it, and the batch has its name. Nothing is enqueued or written yet.</summary>
internal sealed class RunPlan
{
    private RunPlan(RunOptions options, InputFile input, InputSummary summary, PromptFunction? function, IReadOnlyDictionary<string, JsonElement> settings, LlmOptions llm, bool isSimulated)
    {
        Options = options;
        Input = input;
        Summary = summary;
        Function = function;
        Settings = settings;
        Llm = llm;
        IsSimulated = isSimulated;
    }

    public RunOptions Options { get; }

    public InputFile Input { get; }

    public InputSummary Summary { get; }

    public PromptFunction? Function { get; }

    /// <summary>What <c>--set</c> said.</summary>
    public IReadOnlyDictionary<string, JsonElement> Settings { get; }

    /// <summary>The deployments; the simulator's address is filled in when it has started.</summary>
    public LlmOptions Llm { get; }

    /// <summary>True when no endpoint is known, so that the simulator in the process answers.</summary>
    public bool IsSimulated { get; }

    /// <summary>How many rows this run is about.</summary>
    public int Rows => Math.Min(Summary.Rows, Options.Limit ?? int.MaxValue);

    /// <summary>Checks everything that can be checked before the first row is enqueued.</summary>
    /// <param name="options">What the user asked for.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="forFleet">True when workers elsewhere call the LLM: they have the deployments, this process need not.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="CliException">Something is wrong; exit code 2.</exception>
    public static async Task<RunPlan> MakeAsync(RunOptions options, Settings settings, bool forFleet, CancellationToken cancellationToken)
    {
        var set = RunSettings.Parse(options.Set);
        var function = options.Prompt is null ? null : new PromptFunctionFinder().Find(options.Prompt);
        if (function?.SettingsWith(set).Tools is not null && !forFleet)
            throw CliException.Usage($"the prompt function {function.Name} asks for tools, and llmpipe run has none: tools are registered in a .NET worker (see docs/prompt-functions.md); submit is for such a fleet");
        var defaultModel = function?.ModelId ?? settings.Model;
        var input = InputFile.Open(options.Input, new InputOptions
        {
            Model = options.Model,
            DefaultModel = defaultModel,
            PromptName = options.Prompt,
            RequiredVariables = function?.Variables.Where(v => v.IsRequired).Select(v => v.Name).ToList() ?? [],
            System = options.System,
            Settings = set,
            Limit = options.Limit,
            MaxRowBytes = settings.MaxRowBytes,
        });
        var summary = await input.CheckAsync(cancellationToken).ConfigureAwait(false);
        if (summary.ErrorCount > 0)
            throw CliException.Input(options.Input, summary);
        var (llm, isSimulated) = forFleet
            ? (RunEndpoints.ForFleet(options, settings), false)
            : RunEndpoints.Choose(options, settings, [.. summary.Models.Keys]);
        return new RunPlan(options, input, summary, function, set, llm, isSimulated);
    }

    /// <summary>The batch, as the output knows it. Synthetic answers of the same rows give way to real ones.</summary>
    public OutputBatch Batch()
    {
        var endpoint = string.Join('\n', Summary.Models.Keys.Order(StringComparer.Ordinal).Select(model => $"{model} {EndpointOf(model)}"));
        var shape = new RunShape
        {
            ContentHash = Summary.ContentHash,
            Model = Summary.Kind is InputKind.BatchLines or InputKind.Requests ? null : Summary.Models.Keys.Single(),
            PromptSha = Function?.Sha,
            System = Options.System,
            Settings = Settings,
        };
        var family = IsSimulated ? RunBatchId.Simulated(shape) : RunBatchId.Real(shape, endpoint);
        return new OutputBatch
        {
            Family = family,
            Id = Options.Again ? RunBatchId.Again(family) : family,
            ReplaceableFamilies = IsSimulated ? [] : [RunBatchId.Simulated(shape)],
        };
    }

    /// <summary>What is written down of the batch for others on the same Redis.</summary>
    public BatchInfo Info(string batch, DateTimeOffset created, bool isSealed) => new()
    {
        Id = batch,
        Rows = Rows,
        Queues = [.. Summary.Models.Keys],
        Endpoint = IsSimulated ? "simulated" : string.Join(' ', Summary.Models.Keys.Select(EndpointOf).Distinct()),
        Created = created,
        Sealed = isSealed,
    };

    /// <summary>The jobs of the rows that are wanted, in the order of the rows.</summary>
    public async IAsyncEnumerable<Job> JobsAsync(string batch, Func<int, bool> isWanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var row in Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (isWanted(row.Number))
                yield return ToJob(row, batch);
        }
    }

    /// <summary>Whose answers a model's are: the deployments that this process knows of, else those of the fleet, whichever they are.</summary>
    private string EndpointOf(string model) => Llm.EndpointOf(model) is { Length: > 0 } known ? known : RunEndpoints.FleetName;

    private Job ToJob(InputRow row, string batch) => new()
    {
        Id = ResultLine.JobId(batch, row.Number),
        Queue = row.Model,
        Batch = batch,
        Row = row.Number,
        CustomId = row.CustomId,
        Lane = Options.Lane,
        Deadline = Options.Deadline,
        MaxAttempts = Llm.MaxAttempts,
        AttemptTimeout = Options.AttemptTimeout,
        Work = row.Url is not null
            ? new RequestWork { Path = row.Url, Body = row.Body }
            : new PromptWork
            {
                Function = Function!.Name,
                Sha = Function.Sha,
                Variables = row.Variables!,
                System = Options.System,
                Settings = Settings.Count > 0 ? Settings : null,
            },
    };
}
