using System.Runtime.CompilerServices;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>A run that was checked: the input has no error, the options fit it, and the batch has its name. Nothing is enqueued or written yet.</summary>
internal sealed class RunPlan
{
    private RunPlan(RunOptions options, InputFile input, InputSummary summary, PromptFunction? function, IReadOnlyDictionary<string, JsonElement> settings, LlmOptions llm, bool isSimulated, bool isForFleet)
    {
        Options = options;
        Input = input;
        Summary = summary;
        Function = function;
        Settings = settings;
        Llm = llm;
        IsSimulated = isSimulated;
        IsForFleet = isForFleet;
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

    /// <summary>True when workers elsewhere make the calls.</summary>
    public bool IsForFleet { get; }

    /// <summary>True when the rows go to private queues: those of a run on a shared Redis, which only this run calls.</summary>
    public bool IsPrivate => Options.Redis is not null && !IsForFleet;

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
        return new RunPlan(options, input, summary, function, set, llm, isSimulated, forFleet);
    }

    /// <summary>The batch, as the output knows it. Synthetic answers of the same rows give way to real ones.</summary>
    public OutputBatch Batch()
    {
        var shape = Shape();
        var family = IsSimulated ? RunBatchId.Simulated(shape) : RunBatchId.Real(shape, EndpointsBy(EndpointOf));
        return new OutputBatch
        {
            Family = family,
            Id = Options.Again ? RunBatchId.Again(family) : family,
            ReplaceableFamilies = IsSimulated ? [] : [RunBatchId.Simulated(shape)],
        };
    }

    /// <summary>
    /// The id that earlier versions gave to a batch that was submitted with the endpoints which this process knows: they were part of it. Null where it is the same, or
    /// for a batch that is not a fleet's.
    /// </summary>
    public string? EarlierFleetId()
    {
        if (!IsForFleet || Options.Again)
            return null;
        var earlier = RunBatchId.Real(Shape(), EndpointsBy(KnownEndpointOf));
        return earlier == Batch().Id ? null : earlier;
    }

    /// <summary>What the batch is, for others on the same Redis.</summary>
    public BatchInfo Info(string batch) => new()
    {
        Id = batch,
        Rows = Rows,
        Queues = [.. Summary.Models.Keys.Select(model => QueueOf(batch, model))],
        Models = [.. Summary.Models.Keys],
        Endpoint = IsSimulated ? "simulated" : string.Join(' ', Summary.Models.Keys.Select(EndpointOf).Distinct()),
    };

    /// <summary>The queue of the rows of a model.</summary>
    public string QueueOf(string batch, string model) => IsPrivate ? PrivateQueue.Name(batch, model) : model;

    /// <summary>The jobs of the rows that are wanted, in the order of the rows.</summary>
    public async IAsyncEnumerable<Job> JobsAsync(string batch, Func<int, bool> isWanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var queues = Summary.Models.Keys.ToDictionary(model => model, model => QueueOf(batch, model), StringComparer.Ordinal);
        await foreach (var row in Input.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (isWanted(row.Number))
                yield return ToJob(row, batch, queues[row.Model]);
        }
    }

    /// <summary>Whose answers a model's are: those of the fleet, whichever its deployments are, or of the deployments of this process.</summary>
    private string EndpointOf(string model) => IsForFleet ? RunEndpoints.FleetName : KnownEndpointOf(model);

    private string KnownEndpointOf(string model) => Llm.EndpointOf(model) is { Length: > 0 } known ? known : RunEndpoints.FleetName;

    private string EndpointsBy(Func<string, string> endpoint) =>
        string.Join('\n', Summary.Models.Keys.Order(StringComparer.Ordinal).Select(model => $"{model} {endpoint(model)}"));

    private RunShape Shape() => new()
    {
        ContentHash = Summary.ContentHash,
        Model = Summary.Kind is InputKind.BatchLines or InputKind.Requests ? null : Summary.Models.Keys.Single(),
        PromptSha = Function?.Sha,
        System = Options.System,
        Settings = Settings,
    };

    private Job ToJob(InputRow row, string batch, string queue) => new()
    {
        Id = RowId.Of(batch, row.Number),
        Queue = queue,
        Model = row.Model,
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
