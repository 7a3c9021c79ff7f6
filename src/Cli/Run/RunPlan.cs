using System.Runtime.CompilerServices;
using System.Text;
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

    /// <summary>The model of what names none itself.</summary>
    public required string RowModel { get; init; }

    /// <summary>What <c>--set</c> and <c>--schema</c> said.</summary>
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
        var set = AnswerSchemaOption.Apply(options.Schema, RunSettings.Parse(options.Set));
        var function = FunctionOf(options);
        if (function?.SettingsWith(set).Tools is not null && !forFleet)
            throw CliException.Usage($"the prompt function {function.Name} asks for tools, and llmpipe run has none: tools are registered in a .NET worker (see docs/prompt-functions.md); submit is for such a fleet");
        var defaultModel = function?.ModelId ?? settings.Model;
        var inputs = InputFiles.Expand(options.Inputs, options.Output);
        var input = InputFile.Open(inputs, new InputOptions
        {
            Model = options.Model,
            DefaultModel = defaultModel,
            PromptName = options.Template is null ? options.Prompt : "--template",
            RequiredVariables = function?.Variables.Where(v => v.IsRequired).Select(v => v.Name).ToList() ?? [],
            Variables = function?.Variables.Select(v => v.Name).ToList() ?? [],
            System = options.System,
            Settings = set,
            Limit = options.Limit,
            Sample = options.Sample,
            MaxRowBytes = settings.MaxRowBytes,
            As = options.As,
            Encoding = options.Encoding is null ? null : InputContent.EncodingNamed(options.Encoding),
            IdColumn = options.IdColumn,
            Drop = options.Drop,
            StandardInputPath = options.StandardInputPath,
        });
        var summary = await input.CheckAsync(cancellationToken).ConfigureAwait(false);
        if (summary.ErrorCount > 0)
            throw CliException.Input(input.Path, summary);
        var (llm, isSimulated) = forFleet
            ? (RunEndpoints.ForFleet(options, settings), false)
            : RunEndpoints.Choose(options, settings, [.. summary.Models.Keys]);
        return new RunPlan(options, input, summary, function, set, llm, isSimulated, forFleet) { RowModel = options.Model ?? defaultModel };
    }

    /// <summary>What a user should know of the input before anything else.</summary>
    public IEnumerable<string> Notes()
    {
        if (Summary.RepeatedId is { } repeated)
        {
            yield return $"{Input.Path}: values of id repeat (\"{repeated.Value}\" is that of {repeated.First} and of {repeated.Second}), so rows are named by their lines"
                + " (line-N) in the output; --id COLUMN chooses a column";
        }

        var own = Summary.Models.Values.Sum() - Summary.RowsWithoutModel;
        if (Options.Model is { } model && own > 0)
            yield return $"--model {model} is for rows that name none: {RunConsole.Text(own)} rows go to the model that they name";
    }

    /// <summary>The fields of the answers that get columns of a table: those of the schema.</summary>
    public IReadOnlyList<string> AnswerFields =>
        Function is { } function ? function.SettingsWith(Settings).Schema?.Fields ?? [] : AnswerSchemaOption.FieldsOf(Settings);

    private static PromptFunction? FunctionOf(RunOptions options)
    {
        if (options.Template is null)
            return options.Prompt is null ? null : new PromptFunctionFinder().Find(options.Prompt);
        if (options.Prompt is not null)
            throw CliException.Usage("--template stands in the place of --prompt: give one of them");
        var function = PromptFunction.FromFiles(
            "template", new Dictionary<string, ReadOnlyMemory<byte>> { ["skprompt.txt"] = Encoding.UTF8.GetBytes(options.Template) });
        if (function.Variables.Count == 0)
            throw CliException.Usage("--template names no column: write {{$column}}, in single quotes, as a shell replaces $column in double ones");
        return function;
    }

    /// <summary>Whether nobody has named the output, so that it is kept in the folder of temporary files until it is printed.</summary>
    public bool IsOutputTemporary => Options.Output == StandardInput.Name;

    /// <summary>
    /// The files of the output. What is printed on standard output is kept meanwhile in the folder of temporary files, under the name of the
    /// batch, so that the same command again goes on with it.
    /// </summary>
    /// <exception cref="OutputException">The output is no usable name, or one of the files is an input.</exception>
    public OutputPaths Paths() => OutputPaths.ForAll(
        Input.Paths, IsOutputTemporary ? Path.Join(StandardInput.Folder(), $"{Batch().Family}.jsonl") : Options.Output);

    /// <summary>The batch, as the output knows it. Synthetic answers of the same rows give way to real ones.</summary>
    public OutputBatch Batch()
    {
        RunShape[] shapes = EarlierFunctions.ShaOf(Function) is { } sha ? [Shape(), Shape() with { PromptSha = sha }] : [Shape()];
        var families = shapes.Select(shape => IsSimulated ? RunBatchId.Simulated(shape) : RunBatchId.Real(shape, EndpointsBy(EndpointOf))).ToList();
        return new OutputBatch
        {
            Family = families[0],
            Id = Options.Again ? RunBatchId.Again(families[0]) : families[0],
            EarlierFamilies = families[1..],
            ReplaceableFamilies = IsSimulated ? [] : [.. shapes.Select(RunBatchId.Simulated)],
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

    /// <summary>Who answers the rows of a model, for comparisons.</summary>
    public string AnswererOf(string model) => IsSimulated ? "simulated" : EndpointOf(model);

    private string KnownEndpointOf(string model) => Llm.EndpointOf(model) is { Length: > 0 } known ? known : RunEndpoints.FleetName;

    private string EndpointsBy(Func<string, string> endpoint) =>
        string.Join('\n', Summary.Models.Keys.Order(StringComparer.Ordinal).Select(model => $"{model} {endpoint(model)}"));

    private RunShape Shape() => new()
    {
        ContentHash = Summary.ContentHash,
        Model = Summary.RowsWithoutModel > 0 ? RowModel : null,
        Reading = Reading(),
        PromptSha = Function?.Sha,
        System = Options.System,
        Settings = Settings,
    };

    // What the options make of the file beside what its bytes are; null for nothing, as in batches of earlier versions.
    private string? Reading()
    {
        string?[] parts =
        [
            Options.As is { } kind ? $"as {kind}" : null,
            Options.IdColumn is { } id ? $"id {id}" : null,
            Options.Drop.Count > 0 ? $"drop {JsonSerializer.Serialize(Options.Drop)}" : null,
            Options.Sample is { } sample ? $"sample {sample}" : null,
        ];
        return parts.All(part => part is null) ? null : string.Join('\n', parts);
    }

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
